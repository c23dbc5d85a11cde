import { App } from 'aws-cdk-lib';
import cdkJson from '../cdk.json' with { type: 'json' };
import {
  ApiStack,
  AppError,
  DataStack,
  GpuStack,
  JobsStack,
  Models,
  readDeployConfig,
  renderSynthReport,
} from '../lib/index.ts';

try {
  // The CDK command hands the context over itself; run directly, this file must give the same template.
  const app = new App({ context: cdkJson.context, analyticsReporting: false, autoSynth: false });
  const stageName = String(app.node.tryGetContext('stage') ?? 'dev');
  const config = readDeployConfig(stageName);
  const models = Models.fromDirectory('models');
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  const env = account === undefined ? {} : { account, region };
  const data = new DataStack(app, `TensorgateData-${stageName}`, { env, config });
  const { jobData } = data;
  const gpu = GpuStack.isNeeded(models)
    ? new GpuStack(app, `TensorgateGpu-${stageName}`, { env, config, models, payloadBucket: jobData?.payloadBucket })
    : undefined;
  const common = { env, config, stageName, models, resultsTable: data.results, endpoints: gpu?.endpoints };
  const jobsStack = jobData && new JobsStack(app, `TensorgateJobs-${stageName}`, { ...common, jobData });
  const { api } = new ApiStack(app, `TensorgateApi-${stageName}`, {
    ...common,
    jobs: jobsStack?.jobs,
    configFile: `config/${stageName}.yaml`,
  });
  app.synth();
  process.stderr.write(renderSynthReport(api));
  for (const line of Models.describeUnserved('models')) process.stderr.write(`note: ${line}\n`);
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
