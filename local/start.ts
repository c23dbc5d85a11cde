import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { ALLOW_LOOPBACK_VARIABLE } from '../core/functions/jobs-settings.ts';
import { EndpointServer } from './aws/endpoint-server.ts';
import type { LocalFaults } from './aws/faults.ts';
import { type Principal, principals } from './iam/principals.ts';
import {
  describeKeys,
  describeQueues,
  type LocalDescription,
  removeDescription,
  writeDescription,
} from './local-description.ts';
import { findServedModels, type ServedModel } from './served-models.ts';
import { readKeyValues } from './services/api-gateway/api-key-store.ts';
import { type AnsweredRequest, GatewayServer } from './services/api-gateway/gateway-server.ts';
import { DynamoDbEngine } from './services/dynamodb/dynamodb-engine.ts';
import { DynamoDbService } from './services/dynamodb/dynamodb-service.ts';
import { EventBridgeService } from './services/event-bridge/event-bridge-service.ts';
import { openEventRouter } from './services/event-bridge/open-event-router.ts';
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
import { functionArn } from './template/physical-names.ts';
import { type LocalPlan, planAssembly } from './template/plan.ts';
import type { ApiPlan } from './template/plan-apis.ts';
import type { FunctionPlan } from './template/plan-functions.ts';
import { readAssembly } from './template/read-assembly.ts';
import { SYSTEM_CLOCK } from './time/clock.ts';
import { LocalTime } from './time/local-time.ts';

/** How often items and objects whose time has passed are deleted. */
const SWEEP_INTERVAL_MS = 60_000;

/** What to run and where to keep things. */
export interface LocalOptions {
  /** Folder of the synthesized app: `cdk.out`. */
  readonly assembly: string;
  /** Folder for logs, keys and the description: `.tensorgate`. */
  readonly directory: string;
  /** Port of the API; 0 takes a free one. */
  readonly port: number;
  /** Time for throttles, quotas and times to live. Defaults to the machine's. */
  readonly clock?: Clock;
  /** Most execution environments that work at once. Defaults to the number of processors. */
  readonly maxEnvironments?: number | undefined;
  /** Limit of a function's init phase in milliseconds. Defaults to Lambda's 10 seconds. */
  readonly initLimitMs?: number;
  /** Whether webhooks may go to this machine. Defaults to what AWS allows: no. */
  readonly allowLoopbackWebhooks?: boolean;
  /** Faults to make, for tests. */
  readonly faults?: LocalFaults;
  /** Hears of every request once it is answered. */
  readonly onAnswered?: (request: AnsweredRequest) => void;
}

/** A running app. */
export interface LocalStack {
  /** Base URL of the API, without a slash at the end. */
  readonly url: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
  readonly description: LocalDescription;
  readonly plan: LocalPlan;
  readonly models: readonly ServedModel[];
  readonly lambda: LambdaHost;
  readonly dynamodb: DynamoDbEngine;
  readonly queues: QueueEngine;
  readonly objects: ObjectEngine;
  readonly endpoints: SageMakerHost;
  /** Whether a function works on messages, or an event is on its way, right now. */
  isBusy(): boolean;
  /** The local time, milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Moves the time of everything forward: delays and visibility of messages, times to live, throttles, and what functions
   * take for the time from their next invocation on; lives of objects and of presigned URLs.
   */
  advance(ms: number): Promise<void>;
  /** Ends every process and closes every port. */
  stop(): Promise<void>;
}

/**
 * Runs a synthesized app on this machine: its REST API, its functions, its tables.
 *
 * @returns Once the API answers and provisioned environments are warm.
 * @throws AppError `TEMPLATE_INVALID` when the app cannot be run, `LOCAL_START` when the port is taken.
 */
export async function startLocal(options: LocalOptions): Promise<LocalStack> {
  const plan = planAssembly(await readAssembly(options.assembly));
  const [api, ...otherApis] = plan.apis;
  if (api === undefined) throw new AppError('TEMPLATE_INVALID', `${options.assembly} holds no REST API to run`);
  if (otherApis.length > 0) {
    throw new AppError(
      'TEMPLATE_INVALID',
      `${options.assembly} holds ${plan.apis.length} REST APIs, local mode runs one`,
    );
  }
  const cleanUp: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of cleanUp.splice(0).toReversed()) await step();
  };
  try {
    return await run(options, plan, api, cleanUp, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(
  options: LocalOptions,
  plan: LocalPlan,
  api: ApiPlan,
  cleanUp: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<LocalStack> {
  const clock = new LocalTime(options.clock ?? SYSTEM_CLOCK);
  const logsDirectory = join(options.directory, 'logs');
  const endpoint = await EndpointServer.listen(clock);
  cleanUp.push(() => endpoint.close());
  const dynamodb = await openTables(plan, clock, cleanUp);
  const queues = openQueues(plan, clock);
  const objects = await openBuckets(options, plan, clock, cleanUp);
  const functions = options.allowLoopbackWebhooks === true ? plan.functions.map(withLoopbackWebhooks) : plan.functions;
  const lambda = new LambdaHost({
    functions,
    logsDirectory,
    endpointUrl: endpoint.url,
    maxEnvironments: options.maxEnvironments,
    initLimitMs: options.initLimitMs,
    aheadMs: () => clock.aheadMs,
  });
  cleanUp.push(() => lambda.stop());
  const endpoints = new SageMakerHost(plan.endpoints, logsDirectory);
  cleanUp.push(() => endpoints.stop());
  const asyncInference = new AsyncInference({
    ...{ host: endpoints, endpoints: plan.endpoints, roles: plan.roles, topics: plan.topics, objects, clock },
    sendMessage: (queueArn, body) => queues.send(queueArn, body),
  });
  cleanUp.push(() => asyncInference.stop());
  const callers = principals(plan.functions, plan.roles, accessKeyOf);
  const events = openEventRouter({
    ...{ buses: plan.eventBuses, permissions: plan.permissions, host: lambda, clock, logsDirectory },
    sendMessage: (queueArn, body) => queues.send(queueArn, body),
  });
  // Once the functions are gone: no event on its way may write a log afterwards.
  cleanUp.splice(-3, 0, () => events.drain());
  const services = [
    new DynamoDbService(dynamodb),
    new LambdaService(lambda),
    new SqsService(queues, endpoint.url),
    new S3Service(objects),
    new EventBridgeService(events),
    new SageMakerService(endpoints, asyncInference),
  ];
  endpoint.connect(services, callers, options.faults);
  const eventSources = openEventSources(plan, { queues, host: lambda, options, callers });
  cleanUp.push(async () => {
    await Promise.all(eventSources.map((source) => source.stop()));
  });
  const keyValues = await readKeyValues(api.apiKeys, join(options.directory, 'api-keys.json'));
  const { permissions } = plan;
  const gateway = new GatewayServer({
    api,
    permissions,
    host: lambda,
    keyValues,
    clock,
    onAnswered: options.onAnswered,
  });
  await gateway.listen(options.port);
  cleanUp.push(() => gateway.close());
  await endpoints.ready();
  await lambda.warmUp();
  for (const source of eventSources) source.start();
  const models = await findServedModels(plan.functions);
  const description: LocalDescription = {
    url: gateway.url,
    stage: api.stage,
    apiKeys: describeKeys(api, keyValues),
    endpoints: {
      lambda: endpoint.url,
      ...(plan.tables.length === 0 ? {} : { dynamodb: endpoint.url }),
      ...(plan.queues.length === 0 ? {} : { sqs: endpoint.url }),
      ...(plan.buckets.length === 0 ? {} : { s3: endpoint.url }),
      ...(plan.endpoints.length === 0 ? {} : { 'sagemaker-runtime': endpoint.url }),
      ...(plan.eventBuses.every(({ rules }) => rules.length === 0) ? {} : { events: endpoint.url }),
    },
    queues: describeQueues(plan.outputs, endpoint.url),
    models: models.map(({ id }) => id),
    logs: relative(process.cwd(), logsDirectory) || '.',
  };
  const file = join(options.directory, 'local.json');
  await writeDescription(file, description);
  cleanUp.push(() => removeDescription(file));
  return {
    url: gateway.url,
    endpointUrl: endpoint.url,
    plan: { ...plan, notRun: [...plan.notRun, ...endpoints.unmet()] },
    ...{ description, models, lambda, dynamodb, queues, objects, endpoints },
    isBusy: () => events.isBusy || asyncInference.isBusy || eventSources.some((source) => source.isBusy),
    now: () => clock.now(),
    advance: async (ms) => {
      clock.advance(ms);
      await dynamodb.sweep();
      await objects.sweep();
    },
    stop,
  };
}

async function openBuckets(
  { directory }: LocalOptions,
  plan: LocalPlan,
  clock: Clock,
  cleanUp: (() => Promise<void> | void)[],
): Promise<ObjectEngine> {
  const engine = await ObjectEngine.open(directory, plan.buckets, clock);
  cleanUp.push(() => engine.close());
  const sweeper = setInterval(() => void engine.sweep(), SWEEP_INTERVAL_MS).unref();
  cleanUp.push(() => clearInterval(sweeper));
  return engine;
}

function openQueues(plan: LocalPlan, clock: LocalTime): QueueEngine {
  const engine = new QueueEngine(clock);
  for (const queue of plan.queues) engine.createQueue(queue);
  clock.onAdvance(() => engine.wake());
  return engine;
}

interface EventSourceParts {
  readonly queues: QueueEngine;
  readonly host: LambdaHost;
  readonly options: LocalOptions;
  readonly callers: ReadonlyMap<string, Principal>;
}

/** @throws AppError `TEMPLATE_INVALID` when a function may not use the queue that feeds it. */
function openEventSources(plan: LocalPlan, { queues, host, options, callers }: EventSourceParts): EventSource[] {
  const maxConcurrency = options.maxEnvironments ?? availableParallelism();
  return plan.eventSources.flatMap((source) => {
    const fn = plan.functions.find(({ arn }) => arn === functionArn(source.functionArn));
    if (fn === undefined) return [];
    const caller = callers.get(accessKeyOf(fn.name));
    if (caller !== undefined) checkEventSource(source, caller.judge);
    return [new EventSource({ plan: source, queues, host, maxConcurrency, faults: options.faults })];
  });
}

function withLoopbackWebhooks(fn: FunctionPlan): FunctionPlan {
  return { ...fn, environment: { ...fn.environment, [ALLOW_LOOPBACK_VARIABLE]: '1' } };
}

async function openTables(
  plan: LocalPlan,
  clock: Clock,
  cleanUp: (() => Promise<void> | void)[],
): Promise<DynamoDbEngine> {
  const engine = new DynamoDbEngine(clock);
  cleanUp.push(() => engine.close());
  for (const table of plan.tables) await engine.createTable(table);
  const sweeper = setInterval(() => void engine.sweep(), SWEEP_INTERVAL_MS).unref();
  cleanUp.push(() => clearInterval(sweeper));
  return engine;
}
