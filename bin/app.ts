import { App, Validations } from 'aws-cdk-lib';
import cdkJson from '../cdk.json' with { type: 'json' };
import { AppError, addDeployment, Models, readDeployConfig, renderSynthReport } from '../lib/index.ts';
import { TemplateRules } from '../lib/limits/template-rules.ts';

try {
  // The CDK command hands the context over itself; run directly, this file must give the same template.
  const app = new App({ context: cdkJson.context, analyticsReporting: false, autoSynth: false });
  Validations.of(app).addPlugins(new TemplateRules());
  const stageName = String(app.node.tryGetContext('stage') ?? 'dev');
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  const { api } = addDeployment(app, {
    config: readDeployConfig(stageName),
    configFile: `config/${stageName}.yaml`,
    stageName,
    models: Models.fromDirectory('models'),
    env: account === undefined ? {} : { account, region },
  });
  app.synth();
  process.stderr.write(renderSynthReport(api.api));
  for (const line of Models.describeUnserved('models')) process.stderr.write(`note: ${line}\n`);
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
