import { availableParallelism } from 'node:os';
import { ALLOW_LOOPBACK_VARIABLE } from '../core/functions/settings.ts';
import type { ActivityStream } from './activity/activity-stream.ts';
import { EndpointServer } from './aws/endpoint-server.ts';
import type { LocalFaults } from './aws/faults.ts';
import { type Principal, principals } from './iam/principals.ts';
import { ApiGatewayService } from './services/api-gateway/api-gateway-service.ts';
import { DynamoDbEngine } from './services/dynamodb/dynamodb-engine.ts';
import { DynamoDbService } from './services/dynamodb/dynamodb-service.ts';
import { EventBridgeService } from './services/event-bridge/event-bridge-service.ts';
import type { EventRouter } from './services/event-bridge/event-router.ts';
import { openEventRouter } from './services/event-bridge/open-event-router.ts';
import { Schedules } from './services/event-bridge/schedules.ts';
import { accessKeyOf } from './services/lambda/environment-variables.ts';
import { checkEventSource, EventSource } from './services/lambda/event-source.ts';
import { LambdaHost } from './services/lambda/lambda-host.ts';
import { LambdaService } from './services/lambda/lambda-service.ts';
import { ObjectEngine } from './services/s3/object-engine.ts';
import { S3Service } from './services/s3/s3-service.ts';
import { AsyncInference } from './services/sagemaker/async-inference.ts';
import { SageMakerHost } from './services/sagemaker/sagemaker-host.ts';
import { SageMakerService } from './services/sagemaker/sagemaker-service.ts';
import { QueueEngine } from './services/sqs/queue-engine.ts';
import { SqsService } from './services/sqs/sqs-service.ts';
import { SsmService } from './services/ssm/ssm-service.ts';
import type { CustomAttributes } from './template/custom-attributes.ts';
import { functionArn } from './template/physical-names.ts';
import type { LocalPlan } from './template/plan.ts';
import type { FunctionPlan } from './template/plan-functions.ts';
import type { LocalTime } from './time/local-time.ts';

/** Interval at which expired items and objects are deleted. */
const SWEEP_INTERVAL_MS = 60_000;

/** Memory with which a function gets one processor (AWS Lambda Developer Guide, "Configuring function memory"). */
const MIB_OF_PROCESSOR = 1769;

/** Settings of the services. */
export interface ServiceOptions {
  /** Folder for objects: `.tensorgate`. */
  readonly directory: string;
  /** Maximum number of execution environments that work concurrently. Defaults to the number of processors. */
  readonly maxEnvironments?: number | undefined;
  /** How long a request waits for an environment before it is throttled, in milliseconds. Defaults to one second. */
  readonly maxWaitMs?: number | undefined;
  /** Limit of a function's init phase in milliseconds. Defaults to Lambda's 10 seconds. */
  readonly initLimitMs?: number | undefined;
  /** Whether environments are frozen between invocations. Defaults to yes where the platform can: not on Windows. */
  readonly freezesEnvironments?: boolean | undefined;
  /** Whether webhooks may go to this machine. Defaults to no, as on AWS. */
  readonly allowLoopbackWebhooks?: boolean | undefined;
  /** Faults to inject, for tests. */
  readonly faults?: LocalFaults | undefined;
}

/** Dependencies of the services. */
export interface ServiceContext {
  readonly plan: LocalPlan;
  readonly options: ServiceOptions;
  readonly clock: LocalTime;
  readonly activity: ActivityStream;
  /** Folder of the log files. */
  readonly logsDirectory: string;
  /** Value of each API key by its id. */
  readonly keyValues: ReadonlyMap<string, string>;
  /** Attributes of custom resources, once those are created. */
  readonly attributes: CustomAttributes;
  /** Owns each service as soon as it is open, and closes them in reverse order. */
  readonly resources: AsyncDisposableStack;
}

/** The services of a running app. */
export interface LocalServices {
  readonly endpoint: EndpointServer;
  readonly dynamodb: DynamoDbEngine;
  readonly queues: QueueEngine;
  readonly objects: ObjectEngine;
  readonly events: EventRouter;
  readonly lambda: LambdaHost;
  readonly sagemaker: SageMakerHost;
  readonly asyncInference: AsyncInference;
  /** Not started yet: they send events once the functions are warm. */
  readonly schedules: Schedules;
  /** Not started yet: they poll once the functions are warm. */
  readonly eventSources: readonly EventSource[];
}

/**
 * Opens the services that a plan asks for, behind one endpoint that stands for AWS.
 *
 * @throws AppError `TEMPLATE_INVALID` when the app asks for what local mode cannot do.
 */
export async function openServices(context: ServiceContext): Promise<LocalServices> {
  const { plan, clock, activity, options, resources } = context;
  const endpoint = resources.use(await EndpointServer.listen(clock, activity));
  const dynamodb = await openTables(context);
  const queues = openQueues(context);
  const objects = await openBuckets(context);
  const host: Pick<LambdaHost, 'invoke'> = { invoke: (request) => lambda.invoke(request) };
  // Opened before the functions, so that events on their way are waited for once the functions have stopped.
  const events = resources.use(openEvents(context, host, queues));
  const lambda = resources.use(openFunctions(context, endpoint.url));
  const sagemaker = resources.use(new SageMakerHost(plan.endpoints, context.logsDirectory, activity));
  const asyncInference = resources.use(openAsyncInference(context, { sagemaker, objects, queues }));
  const callers = principals(plan.functions, plan.roles, accessKeyOf);
  const services = [
    new ApiGatewayService(
      plan.apis.flatMap(({ apiKeys }) => apiKeys),
      context.keyValues,
    ),
    new DynamoDbService(dynamodb),
    new LambdaService(lambda),
    new SqsService(queues, endpoint.url),
    new S3Service(objects),
    new EventBridgeService(events),
    new SsmService(plan.parameters, endpoint.url),
    new SageMakerService(sagemaker, asyncInference),
  ];
  endpoint.connect(services, callers, options.faults, lambda);
  const schedules = resources.use(new Schedules({ rules: plan.schedules, router: events, clock }));
  clock.onAdvance(() => schedules.wake());
  const eventSources = openEventSources(context, { queues, host, callers }).map((source) => resources.use(source));
  return { endpoint, dynamodb, queues, objects, events, lambda, sagemaker, asyncInference, schedules, eventSources };
}

async function openTables({ plan, clock, resources }: ServiceContext): Promise<DynamoDbEngine> {
  const engine = resources.use(new DynamoDbEngine(clock));
  for (const table of plan.tables) await engine.createTable(table);
  resources.use(sweepRegularly(engine));
  return engine;
}

async function openBuckets({ plan, clock, options, resources }: ServiceContext): Promise<ObjectEngine> {
  const engine = resources.use(await ObjectEngine.open(options.directory, plan.buckets, clock));
  resources.use(sweepRegularly(engine));
  return engine;
}

function openQueues({ plan, clock, activity }: ServiceContext): QueueEngine {
  const engine = new QueueEngine(clock, activity);
  for (const queue of plan.queues) engine.createQueue(queue);
  clock.onAdvance(() => engine.wake());
  return engine;
}

function openEvents(context: ServiceContext, host: Pick<LambdaHost, 'invoke'>, queues: QueueEngine): EventRouter {
  const { plan, clock, activity, logsDirectory } = context;
  return openEventRouter({
    buses: plan.eventBuses,
    permissions: plan.permissions,
    host,
    clock,
    activity,
    logsDirectory,
    sendMessage: (queueArn, body) => queues.send(queueArn, body),
  });
}

function openFunctions(context: ServiceContext, endpointUrl: string): LambdaHost {
  const { plan, options, clock, activity, logsDirectory } = context;
  return new LambdaHost({
    functions: options.allowLoopbackWebhooks === true ? plan.functions.map(withLoopbackWebhooks) : plan.functions,
    logsDirectory,
    endpointUrl,
    maxEnvironments: options.maxEnvironments,
    maxWaitMs: options.maxWaitMs,
    initLimitMs: options.initLimitMs,
    freezes: options.freezesEnvironments,
    attributes: context.attributes,
    aheadMs: () => clock.aheadMs,
    activity,
  });
}

function withLoopbackWebhooks(fn: FunctionPlan): FunctionPlan {
  return { ...fn, environment: { ...fn.environment, [ALLOW_LOOPBACK_VARIABLE]: '1' } };
}

function openAsyncInference(
  { plan, clock }: ServiceContext,
  {
    sagemaker,
    objects,
    queues,
  }: { readonly sagemaker: SageMakerHost; readonly objects: ObjectEngine; readonly queues: QueueEngine },
): AsyncInference {
  return new AsyncInference({
    host: sagemaker,
    endpoints: plan.endpoints,
    roles: plan.roles,
    topics: plan.topics,
    objects,
    clock,
    sendMessage: (queueArn, body) => queues.send(queueArn, body),
  });
}

interface EventSourceParts {
  readonly queues: QueueEngine;
  readonly host: Pick<LambdaHost, 'invoke'>;
  readonly callers: ReadonlyMap<string, Principal>;
}

/** @throws AppError `TEMPLATE_INVALID` when a function may not use the queue that feeds it. */
function openEventSources(
  { plan, options }: ServiceContext,
  { queues, host, callers }: EventSourceParts,
): EventSource[] {
  const processors = options.maxEnvironments ?? availableParallelism();
  return plan.eventSources.flatMap((source) => {
    const fn = plan.functions.find(({ arn }) => arn === functionArn(source.functionArn));
    if (fn === undefined) return [];
    const caller = callers.get(accessKeyOf(fn.name));
    if (caller !== undefined) checkEventSource(source, caller.judge);
    // A function gets a share of a processor by its memory, so a small one may run more often at a time.
    const maxConcurrency = Math.max(processors, Math.floor((processors * MIB_OF_PROCESSOR) / fn.memoryMiB));
    return [new EventSource({ plan: source, queues, host, maxConcurrency, faults: options.faults })];
  });
}

/** Deletes what has expired, until it is disposed. A sweep that fails leaves the rest to the next one. */
function sweepRegularly(engine: { sweep(): Promise<unknown> }): AsyncDisposable {
  let sweeping: Promise<unknown> = Promise.resolve();
  const sweep = () => engine.sweep().catch((error: unknown) => process.emitWarning(`local mode: ${String(error)}`));
  const timer = setInterval(() => {
    sweeping = sweep();
  }, SWEEP_INTERVAL_MS).unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await sweeping;
    },
  };
}
