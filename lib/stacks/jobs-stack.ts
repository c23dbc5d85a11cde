import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import type { ResultsTable } from '../data/results-table.ts';
import type { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { Jobs } from '../jobs/jobs.ts';
import type { Model } from '../packaging/model.ts';
import type { JobData } from './data-stack.ts';

/** Settings of a {@link JobsStack}. */
export interface JobsStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /** Name of the API's stage. */
  readonly stageName: string;
  /** Models that jobs may name. */
  readonly models: readonly Model[];
  /** Results of earlier requests. */
  readonly resultsTable: ResultsTable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /** Stored data of jobs. */
  readonly jobData: JobData;
}

/** Queues, workers and events of jobs. You can delete and redeploy this stack while no message waits. */
export class JobsStack extends Stack {
  /** The jobs. */
  readonly jobs: Jobs;

  constructor(scope: Construct, id: string, props: JobsStackProps) {
    super(scope, id, props);
    for (const endpoint of props.endpoints ?? [])
      this.addStackDependency(Stack.of(endpoint), 'functions ask its endpoints');
    const { config, stageName, models, resultsTable, jobData } = props;
    const { enabled: _, ...settings } = config.jobs;
    const { logRetentionDays, tracing, retainData, metrics, metricsNamespace, cache, concurrency } = config;
    this.jobs = new Jobs(this, 'Jobs', {
      ...settings,
      logRetentionDays,
      tracing,
      retainData,
      metrics,
      metricsNamespace,
      cache,
      concurrency,
      stageName,
      models,
      resultsTable,
      ...jobData,
      endpoints: props.endpoints,
    });
    const { shared, replies } = this.jobs.queues;
    this.#addQueueOutput('Jobs', 'jobs', shared.jobs);
    this.#addQueueOutput('DeadLetters', 'dead-letters', shared['dead-letters']);
    for (const [name, { fn }] of this.jobs.functions.scheduled) {
      new CfnOutput(this, `Function${pascalCase(name)}`, { value: fn.functionName, description: name });
    }
    for (const [name, queue] of replies) this.#addQueueOutput(`Reply${pascalCase(name)}`, name, queue);
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
