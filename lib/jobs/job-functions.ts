import { Duration } from 'aws-cdk-lib';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { renderServeModelEnvironment } from '../../core/functions/serve-model-environment.ts';
import type { ResultsTable } from '../data/results-table.ts';
import { endpointFor, endpointOf, type GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { ServiceFunction, type ServiceFunctionOptions } from '../functions/service-function.ts';
import { METRICS_NAMESPACE } from '../monitoring/metrics-namespace.ts';
import { bundlePackage, composeFunctionPackage } from '../packaging/function-package.ts';
import type { Model } from '../packaging/model.ts';
import { type FunctionName, functionBundle } from '../packaging/package-layout.ts';
import { grantJobAccess, type JobParts, jobEnvironment } from './job-access.ts';
import { CONSUMER_TIMEOUT_SECONDS } from './job-queues.ts';

/** How messages are taken from a queue. */
interface Intake {
  readonly batchSize: number;
  readonly windowSeconds?: number;
  readonly maxConcurrency: number;
}

/** A function that takes messages of one shared queue. */
interface Consumer {
  readonly name: FunctionName;
  readonly description: string;
  readonly queue: keyof typeof CONSUMER_TIMEOUT_SECONDS;
  readonly intake: Intake;
  readonly memoryMiB?: number;
}

const CONSUMERS: readonly Consumer[] = [
  {
    name: 'accept-jobs',
    description: 'Accepts jobs that producers sent to the queue',
    queue: 'jobs',
    intake: { batchSize: 10, maxConcurrency: 10 },
  },
  {
    name: 'fail-lost-jobs',
    description: 'Fails jobs that no worker completed',
    queue: 'lost-jobs',
    intake: { batchSize: 10, maxConcurrency: 5 },
  },
  {
    name: 'process-batches',
    description: 'Splits files of batches into chunks and puts the results together',
    queue: 'batches',
    // A step holds up to a part of 32 MiB, and uses all of its time where there is more to do.
    intake: { batchSize: 1, maxConcurrency: 10 },
    memoryMiB: 1024,
  },
  {
    name: 'deliver-webhooks',
    description: 'Delivers webhooks, one attempt for each message',
    queue: 'webhooks',
    intake: { batchSize: 10, maxConcurrency: 20 },
  },
];

/** A chunk fills an invocation by itself, and one that ends it hurts no other. */
const CHUNKS_AT_ONCE = 1;

/** Settings of {@link JobFunctions}. */
export interface JobFunctionsProps extends ServiceFunctionOptions {
  /** What the functions work with. */
  readonly parts: JobParts;
  /** Models that jobs may name. */
  readonly models: readonly Model[];
  /**
   * Where results are kept for later requests.
   *
   * @default - results are kept in the functions' memory only
   */
  readonly resultsTable?: ResultsTable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
}

/** The functions behind the queues: one worker for each model, and those that belong to no model. */
export class JobFunctions extends Construct {
  /** Functions of shared queues by name. */
  readonly consumers: ReadonlyMap<FunctionName, ServiceFunction>;
  /** Workers by model id. */
  readonly workers: ReadonlyMap<string, ServiceFunction>;
  /** How many event source mappings there are, each of which polls a queue. */
  readonly mappings: number;
  readonly #props: JobFunctionsProps;

  constructor(scope: Construct, id: string, props: JobFunctionsProps) {
    super(scope, id);
    this.#props = props;
    this.consumers = new Map(CONSUMERS.map((consumer) => [consumer.name, this.#createConsumer(consumer)]));
    this.workers = new Map(props.models.map((model) => [model.id, this.#createWorker(model)]));
    this.mappings = CONSUMERS.length + props.models.length * 2;
  }

  #createConsumer({ name, description, queue, intake, memoryMiB }: Consumer): ServiceFunction {
    const { parts } = this.#props;
    const created = new ServiceFunction(this, name, {
      ...this.#options(),
      description,
      package: bundlePackage(functionBundle(name)),
      timeoutSeconds: CONSUMER_TIMEOUT_SECONDS[queue],
      environment: jobEnvironment(name, parts),
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
    });
    grantJobAccess(name, created, parts);
    consume(created, parts.queues.shared[queue], intake);
    return created;
  }

  #createWorker(model: Model): ServiceFunction {
    const { parts } = this.#props;
    const { compute, jobs, cache } = model.manifest;
    const resultsTable = cache.store === 'table' ? this.#props.resultsTable : undefined;
    const endpoint = endpointFor(model, endpointOf(model, this.#props.endpoints));
    const worker = new ServiceFunction(this, `run-jobs-${model.id}`, {
      ...this.#options(),
      description: `Runs jobs of the model ${model.id}`,
      package: composeFunctionPackage(model, functionBundle('run-jobs')),
      memoryMiB: compute.memoryMiB,
      architecture: compute.architecture,
      timeoutSeconds: jobs.timeoutSeconds,
      environment: {
        ...renderServeModelEnvironment({
          ...(resultsTable === undefined ? {} : { resultsTable: resultsTable.table.tableName }),
          ...(endpoint === undefined ? {} : { endpoint: endpoint.endpointName }),
          siblings: {},
          metricsNamespace: METRICS_NAMESPACE,
          stage: parts.stageName,
        }),
        ...jobEnvironment('run-jobs', parts, model),
      },
    });
    grantJobAccess('run-jobs', worker, parts, model);
    resultsTable?.grantReadWriteBatches(worker);
    endpoint?.grantInvoke(worker);
    if (endpoint?.isAsync === false) resultsTable?.grantClaims(worker);
    const queues = parts.queues.models.get(model.id);
    if (queues === undefined) throw new TypeError(`the model ${model.id} has no queues`);
    endpoint?.notifications?.addSubscription(new SqsSubscription(queues.jobs, { rawMessageDelivery: true }));
    consume(worker, queues.jobs, jobs);
    consume(worker, queues.chunks, { batchSize: CHUNKS_AT_ONCE, maxConcurrency: jobs.maxConcurrency });
    return worker;
  }

  #options(): ServiceFunctionOptions {
    const { logRetention, tracing } = this.#props;
    return {
      ...(logRetention === undefined ? {} : { logRetention }),
      ...(tracing === undefined ? {} : { tracing }),
    };
  }
}

/** Invokes a function with messages of a queue; it says which of them are to come again. */
function consume(
  { fn }: ServiceFunction,
  queue: IQueue,
  { batchSize, windowSeconds = 0, maxConcurrency }: Intake,
): void {
  fn.addEventSource(
    new SqsEventSource(queue, {
      batchSize,
      maxConcurrency,
      reportBatchItemFailures: true,
      ...(windowSeconds === 0 ? {} : { maxBatchingWindow: Duration.seconds(windowSeconds) }),
    }),
  );
}
