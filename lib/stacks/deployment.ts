import type { StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import type { Model } from '../packaging/model.ts';
import { ApiStack } from './api-stack.ts';
import { DataStack } from './data-stack.ts';
import { GpuStack } from './gpu-stack.ts';
import { JobsStack } from './jobs-stack.ts';

/** Settings of a deployment. */
export interface DeploymentProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /** File that the configuration was read from, for messages about it. */
  readonly configFile: string;
  /** Name of the stage, part of the names of the stacks. */
  readonly stageName: string;
  /** Models to serve. */
  readonly models: readonly Model[];
  /** Account and region. */
  readonly env: NonNullable<StackProps['env']>;
}

/** The stacks of a deployment. */
export interface Deployment {
  readonly data: DataStack;
  readonly gpu: GpuStack;
  readonly jobs: JobsStack;
  readonly api: ApiStack;
}

/**
 * Adds the stacks of a deployment to an app.
 *
 * Every stack is in the app, even if it is empty: `cdk deploy --all` skips an empty stack that was never deployed, and
 * deletes one that was. A stack that left the app would stay deployed, and its endpoints would be paid for.
 *
 * @example
 * const { api } = addDeployment(app, {
 *   config: readDeployConfig('prod'),
 *   configFile: 'config/prod.yaml',
 *   stageName: 'prod',
 *   models,
 *   env: { account: '111122223333', region: 'eu-west-1' },
 * });
 * console.error(renderSynthReport(api.api));
 */
export function addDeployment(scope: Construct, props: DeploymentProps): Deployment {
  const { config, configFile, stageName, models, env } = props;
  const { tags, deletionProtection: terminationProtection } = config;
  const stack = { env, tags };
  const data = new DataStack(scope, `TensorgateData-${stageName}`, {
    ...stack,
    terminationProtection,
    config,
    configFile,
  });
  const { jobData, results: resultsTable, alarmTopic } = data;
  const gpu = new GpuStack(scope, `TensorgateGpu-${stageName}`, {
    ...stack,
    config,
    models,
    payloadBucket: jobData?.payloadBucket,
  });
  const common = { ...stack, config, stageName, models, resultsTable, endpoints: gpu.endpoints, alarmTopic };
  const jobs = new JobsStack(scope, `TensorgateJobs-${stageName}`, { ...common, jobData });
  const api = new ApiStack(scope, `TensorgateApi-${stageName}`, {
    ...common,
    // The other stacks are deleted when they become empty.
    terminationProtection,
    jobs: jobs.jobs,
    configFile,
  });
  deleteAfterUpdate(gpu.endpoints.length === 0 ? [gpu] : [], [jobs, api]);
  deleteAfterUpdate(jobs.jobs === undefined ? [jobs] : [], [api]);
  return { data, gpu, jobs, api };
}

/** Deletes empty stacks after the stacks that may still use them have been updated. */
function deleteAfterUpdate(empty: readonly (GpuStack | JobsStack)[], users: readonly (JobsStack | ApiStack)[]): void {
  for (const stack of empty)
    for (const user of users) stack.addStackDependency(user, 'it may still use what this stack had');
}
