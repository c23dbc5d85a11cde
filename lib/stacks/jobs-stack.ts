import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import type { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { Jobs } from '../jobs/jobs.ts';
import type { Model } from '../packaging/model.ts';
import { jobsSettingsOf } from './construct-settings.ts';
import type { JobData } from './data-stack.ts';
import { allowEmpty, withoutMetadata } from './empty-stack.ts';
import { keepExports, readOutputs } from './stack-references.ts';

/** Settings of a {@link JobsStack}. */
export interface JobsStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /** Name of the API's stage. */
  readonly stageName: string;
  /** Models that jobs may name. */
  readonly models: readonly Model[];
  /** Results of earlier requests. */
  readonly resultsTable: ITable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /**
   * Stored data of jobs.
   *
   * @default - none: the deployment has no jobs
   */
  readonly jobData?: JobData;
  /**
   * Topic of the alarms, as the stack of data made it.
   *
   * @default - none: the alarms have no actions
   */
  readonly alarmTopic?: ITopic;
}

/**
 * Maximum number of models in a deployment of an earlier release. Larger deployments need no exports, and the exports of 60
 * models and 20 reply queues would exceed the 200 outputs of a stack.
 */
const MAX_MODELS_WITH_EXPORTS = 13;

/**
 * Queues, workers and events of jobs. You can delete and redeploy this stack while no message waits. Without jobs the stack
 * is empty, and `cdk deploy` deletes a deployed one.
 *
 * @example
 * const config = readDeployConfig('prod');
 * const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
 * const { jobs } = new JobsStack(app, 'Jobs', { config, stageName: 'prod', models, resultsTable, jobData });
 * if (jobs !== undefined) console.log(jobs.node.path);
 */
export class JobsStack extends Stack {
  /** The jobs; undefined if the configuration has none. */
  readonly jobs: Jobs | undefined;

  constructor(scope: Construct, id: string, props: JobsStackProps) {
    super(scope, id, props.jobData === undefined ? withoutMetadata(props) : props);
    readOutputs(this);
    if (props.jobData === undefined) {
      allowEmpty(this);
      return;
    }
    for (const endpoint of props.endpoints ?? [])
      this.addStackDependency(Stack.of(endpoint), 'functions ask its endpoints');
    this.jobs = this.#createJobs(props, props.jobData);
    this.#addOutputs(this.jobs);
    this.#keepExports(this.jobs);
  }

  #createJobs(props: JobsStackProps, jobData: JobData): Jobs {
    const { config, stageName, models, resultsTable, endpoints, alarmTopic } = props;
    return new Jobs(this, 'Jobs', {
      ...jobsSettingsOf(this, config),
      alarmTopic,
      stageName,
      models,
      resultsTable,
      ...jobData,
      endpoints,
    });
  }

  #addOutputs({ queues: { shared, replies }, functions }: Jobs): void {
    this.#addQueueOutput('Jobs', 'jobs', shared.jobs);
    this.#addQueueOutput('DeadLetters', 'dead-letters', shared['dead-letters']);
    for (const [name, { fn }] of [...functions.scheduled, ...functions.consumers]) {
      new CfnOutput(this, `Function${pascalCase(name)}`, { value: fn.functionName, description: name });
    }
    const workers = new Construct(this, 'Workers');
    for (const [id, { fn }] of functions.workers) {
      new CfnOutput(workers, id, { value: fn.functionName, description: `worker of ${id}` });
    }
    for (const [name, queue] of replies) this.#addQueueOutput(`Reply${pascalCase(name)}`, name, queue);
  }

  #keepExports({ queues: { shared, models, replies }, events: { bus } }: Jobs): void {
    if (models.size > MAX_MODELS_WITH_EXPORTS) return;
    const ofModels = [...models.values()].map(({ jobs }) => jobs);
    for (const { queueArn, queueUrl } of [...ofModels, shared.webhooks, shared.batches, ...replies.values()]) {
      keepExports(this, [queueArn, queueUrl]);
    }
    keepExports(this, [bus.eventBusArn, bus.eventBusName]);
  }

  /** Programs find a queue by the description, which is its short name. */
  #addQueueOutput(id: string, name: string, queue: IQueue): void {
    new CfnOutput(this, `QueueUrl${id}`, { value: queue.queueUrl, description: name });
  }
}

function pascalCase(name: string): string {
  return name
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
}
