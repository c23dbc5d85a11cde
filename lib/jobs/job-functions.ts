import { Duration, Names } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Grant } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { PricedSchedule } from '../../core/costs/cost.ts';
import { type ConsumerName, FUNCTIONS, type FunctionName, type ScheduledName } from '../../core/functions/functions.ts';
import type { ModelQueueName } from '../../core/functions/permissions.ts';
import { grantCachedResults, grantClaims } from '../data/results-table.ts';
import { endpointFor, endpointOf, type GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import { createLiveAlias } from '../functions/live-alias.ts';
import { modelEnvironment } from '../functions/model-environment.ts';
import { ModelStack } from '../functions/model-stack.ts';
import { SERVICE_ARCHITECTURE, ServiceFunction, type ServiceFunctionOptions } from '../functions/service-function.ts';
import { composeFunctionPackage, composeServicePackage } from '../packaging/function-package.ts';
import type { Model } from '../packaging/model.ts';
import { functionBundle } from '../packaging/package-layout.ts';
import { grantJobAccess, type JobParts, jobSettings } from './job-access.ts';

/** How a function consumes a queue. */
interface Consumption {
  readonly batchSize: number;
  readonly windowSeconds?: number;
  readonly maxConcurrency: number;
}

const CONSUMERS = (Object.keys(FUNCTIONS) as FunctionName[]).filter(
  (name): name is ConsumerName => 'consumes' in FUNCTIONS[name],
);

const SCHEDULED = (Object.keys(FUNCTIONS) as FunctionName[]).filter(
  (name): name is ScheduledName => 'schedule' in FUNCTIONS[name],
);

/** One chunk fills an invocation, and a chunk that crashes it affects no other. */
const CONCURRENT_CHUNKS = 1;

/** Settings of {@link JobFunctions}. */
export interface JobFunctionsProps extends ServiceFunctionOptions {
  /** Dependencies of the functions. */
  readonly parts: JobParts;
  /** Models that jobs may name. */
  readonly models: readonly Model[];
  /**
   * Table that caches results for later requests.
   *
   * @default - results are cached in the functions' memory only
   */
  readonly resultsTable?: ITable;
  /**
   * Where models run whose manifests say `target: sagemaker`.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
}

/** The functions behind the queues: one worker for each model, those that belong to no model, and the scheduled ones. */
export class JobFunctions extends Construct {
  /** Functions of shared queues by name. */
  readonly consumers: ReadonlyMap<FunctionName, ServiceFunction>;
  /** Functions that run by themselves, by name. */
  readonly scheduled: ReadonlyMap<ScheduledName, ServiceFunction>;
  /** Workers by model id. */
  readonly workers: ReadonlyMap<string, ServiceFunction>;
  /**
   * Stacks with the stateless resources of each model, by model id.
   *
   * @internal
   */
  readonly stacks: ReadonlyMap<string, ModelStack>;
  /**
   * Number of event source mappings, each of which polls a queue.
   *
   * @internal
   */
  readonly mappings: number;
  /**
   * The billable properties of the scheduled functions.
   *
   * @internal
   */
  readonly schedules: readonly PricedSchedule[];
  readonly #props: JobFunctionsProps;

  /** @internal */
  constructor(scope: Construct, id: string, props: JobFunctionsProps) {
    super(scope, id);
    this.#props = props;
    this.consumers = new Map(CONSUMERS.map((name) => [name, this.#createConsumer(name)]));
    this.scheduled = new Map(SCHEDULED.map((name) => [name, this.#createScheduled(name)]));
    this.stacks = new Map(props.models.map((model) => [model.id, new ModelStack(this, model, 'Worker for jobs')]));
    this.workers = new Map(props.models.map((model) => [model.id, this.#createWorker(model)]));
    this.schedules = SCHEDULED.map((name) => ({
      name,
      memoryMiB: FUNCTIONS[name].memoryMiB,
      architecture: SERVICE_ARCHITECTURE,
      everyMinutes: FUNCTIONS[name].schedule.everyMinutes,
    }));
    this.mappings = CONSUMERS.length + props.models.length * 2;
  }

  #createConsumer(name: ConsumerName): ServiceFunction {
    const { consumes } = FUNCTIONS[name];
    const created = this.#createService(name);
    const { queues, concurrency } = this.#props.parts;
    consume({ fn: created.fn, grantee: created }, queues.shared[consumes.queue], {
      ...consumes,
      maxConcurrency: concurrency.ofFunction(name),
    });
    return created;
  }

  /** EventBridge does not charge for the events of schedules. */
  #createScheduled(name: ScheduledName): ServiceFunction {
    const created = this.#createService(name, { systemLogLevel: 'WARN' });
    const schedule = Schedule.rate(Duration.minutes(FUNCTIONS[name].schedule.everyMinutes));
    // The next invocation does what a failed one did not.
    const target = new LambdaFunction(created.fn, { retryAttempts: 0 });
    new Rule(created, 'Schedule', { description: FUNCTIONS[name].description, schedule, targets: [target] });
    return created;
  }

  #createService(
    name: ConsumerName | ScheduledName,
    options: Pick<ServiceFunctionOptions, 'systemLogLevel'> = {},
  ): ServiceFunction {
    const { parts } = this.#props;
    const { description, memoryMiB, timeoutSeconds } = FUNCTIONS[name];
    const { environment, packaged } = jobSettings(name, parts);
    const created = new ServiceFunction(this, name, {
      ...this.#options(),
      ...options,
      description,
      memoryMiB,
      timeoutSeconds,
      package: composeServicePackage(functionBundle(name), packaged, parts.workDirectory),
      environment,
    });
    grantJobAccess(name, created, parts);
    parts.queues.deployBefore(created.fn);
    return created;
  }

  #createWorker(model: Model): ServiceFunction {
    const { parts } = this.#props;
    const { compute, jobs, cache } = model.manifest;
    const resultsTable = cache.store === 'table' ? this.#props.resultsTable : undefined;
    const endpoint = endpointFor(model, endpointOf(model, this.#props.endpoints));
    const stack = this.stackOf(model.id);
    const worker = new ServiceFunction(stack, `run-jobs-${model.id}`, {
      ...this.#options(),
      description: `${FUNCTIONS['run-jobs'].description} ${model.id}`,
      package: composeFunctionPackage(model, functionBundle('run-jobs')),
      memoryMiB: compute.memoryMiB,
      architecture: compute.architecture,
      timeoutSeconds: jobs.timeoutSeconds,
      environment: {
        ...modelEnvironment({ resultsTable: resultsTable?.tableName, endpoint: endpoint?.endpointName }),
        ...jobSettings('run-jobs', parts, model).environment,
      },
    });
    grantJobAccess('run-jobs', worker, parts, model);
    parts.queues.deployBefore(worker.fn);
    if (resultsTable !== undefined) grantCachedResults(resultsTable, worker);
    endpoint?.grantInvoke(worker);
    if (endpoint?.isAsync === false && resultsTable !== undefined) grantClaims(resultsTable, worker);
    const queues = parts.queues.models.get(model.id);
    if (queues === undefined) throw new TypeError(`the model ${model.id} has no queues`);
    endpoint?.notifications?.addSubscription(new SqsSubscription(queues.jobs, { rawMessageDelivery: true }));
    parts.queues.publishUrls(stack, model);
    const alias = createLiveAlias(worker, worker.fn);
    const limitOf = (queue: ModelQueueName): number => parts.concurrency.ofWorker(model, queue);
    const consumer = { fn: alias, grantee: worker };
    consume(consumer, queues.jobs, { ...jobs, maxConcurrency: limitOf('jobs') });
    consume(consumer, queues.chunks, { batchSize: CONCURRENT_CHUNKS, maxConcurrency: limitOf('chunks') });
    return worker;
  }

  /**
   * The stack with the stateless resources of a model.
   *
   * @internal
   */
  stackOf(id: string): ModelStack {
    const stack = this.stacks.get(id);
    if (stack === undefined) throw new TypeError(`the model ${id} has no stack`);
    return stack;
  }

  #options(): ServiceFunctionOptions {
    const { logRetention, tracing, systemLogLevel } = this.#props;
    return { logRetention, tracing, systemLogLevel };
  }
}

/**
 * Permissions that AWS Lambda needs to poll a queue for a function (developer guide, "Using Lambda with Amazon SQS"), and
 * the one by which the function decides how long messages stay invisible.
 */
const CONSUMING = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'];

/** A function that gets messages of a queue. */
interface Consumer {
  /** The function, or an alias of it. */
  readonly fn: IFunction;
  readonly grantee: ServiceFunction;
}

/** Invokes a function with messages of a queue. The response of the function says which messages are retried. */
function consume(
  { fn, grantee }: Consumer,
  queue: IQueue,
  { batchSize, windowSeconds = 0, maxConcurrency }: Consumption,
): void {
  // `SqsEventSource` of the AWS CDK grants actions that nothing uses. The id is its id, so that deployed mappings stay.
  fn.addEventSourceMapping(`SqsEventSource:${Names.nodeUniqueId(queue.node)}`, {
    eventSourceArn: queue.queueArn,
    batchSize,
    maxConcurrency,
    reportBatchItemFailures: true,
    ...(windowSeconds === 0 ? {} : { maxBatchingWindow: Duration.seconds(windowSeconds) }),
  });
  Grant.addToPrincipal({ grantee, actions: CONSUMING, resourceArns: [queue.queueArn] });
}
