import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { type ActivityListener, ActivityStream } from './activity/activity-stream.ts';
import { describeInstance, findInstances } from './instances.ts';
import { describeApp, type LocalDescription } from './local-description.ts';
import { type LocalServices, openServices, type ServiceContext, type ServiceOptions } from './open-services.ts';
import { findServedModels, type ServedModel } from './served-models.ts';
import { readKeyValues } from './services/api-gateway/api-key-store.ts';
import { GatewayServer } from './services/api-gateway/gateway-server.ts';
import { createCustomResources } from './services/cloudformation/custom-resources.ts';
import type { DynamoDbEngine } from './services/dynamodb/dynamodb-engine.ts';
import type { LambdaHost } from './services/lambda/lambda-host.ts';
import type { ObjectEngine } from './services/s3/object-engine.ts';
import type { SageMakerHost } from './services/sagemaker/sagemaker-host.ts';
import type { QueueEngine } from './services/sqs/queue-engine.ts';
import { CustomAttributes } from './template/custom-attributes.ts';
import { type LocalPlan, planAssembly } from './template/plan.ts';
import type { ApiPlan } from './template/plan-apis.ts';
import { readAssembly } from './template/read-assembly.ts';
import { SYSTEM_CLOCK } from './time/clock.ts';
import { LocalTime } from './time/local-time.ts';

/** Settings of {@link startLocal}. */
export interface LocalOptions extends ServiceOptions {
  /** Folder of the synthesized app: `cdk.out`. */
  readonly assembly: string;
  /** Folder for logs, keys, objects and the description: `.tensorgate`. */
  readonly directory: string;
  /** Port of the API; 0 takes a free one. */
  readonly port: number;
  /** Time for throttles, quotas and times to live. Defaults to the machine's. */
  readonly clock?: Clock;
  /** Receives everything that happens, from the first service that opens. See also {@link LocalStack.activity}. */
  readonly onActivity?: ActivityListener;
}

/** A running app. */
export interface LocalStack {
  /** Base URL of the API, without a slash at the end. */
  readonly url: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
  readonly description: LocalDescription;
  /** Path of the file that holds the description. */
  readonly file: string;
  readonly plan: LocalPlan;
  readonly models: readonly ServedModel[];
  readonly lambda: LambdaHost;
  readonly dynamodb: DynamoDbEngine;
  readonly queues: QueueEngine;
  readonly objects: ObjectEngine;
  readonly endpoints: SageMakerHost;
  /** Everything that happens, as it happens. */
  readonly activity: ActivityStream;
  /** Whether a function works on messages, or an event is on its way, right now. */
  isBusy(): boolean;
  /** The local time, milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Moves the time of all services forward: delays and visibility of messages, times to live, throttles, lives of objects
   * and of presigned URLs, and the functions' own time from their next invocation.
   */
  advance(ms: number): Promise<void>;
  /** Ends every process and closes every port. An error of one service does not keep the others from ending. */
  stop(): Promise<void>;
}

/**
 * Runs a synthesized app on this machine: its REST API, its functions, its tables.
 *
 * @returns Once the API responds and provisioned environments are warm.
 * @throws AppError `TEMPLATE_INVALID` when the app cannot be run, `LOCAL_START` when the port is taken.
 */
export async function startLocal(options: LocalOptions): Promise<LocalStack> {
  const plan = planAssembly(await readAssembly(options.assembly));
  const api = onlyApi(plan, options.assembly);
  const clock = new LocalTime(options.clock ?? SYSTEM_CLOCK);
  const activity = new ActivityStream(clock);
  if (options.onActivity !== undefined) activity.subscribe(options.onActivity);
  // A further instance in this folder must not write into the logs of the first.
  const { running } = await findInstances(options.directory);
  const isFirst = running.every(({ description }) => description.pid === process.pid);
  const logsDirectory = join(options.directory, isFirst ? 'logs' : `logs-${process.pid}`);
  const resources = new AsyncDisposableStack();
  try {
    const keyValues = await readKeyValues(api.apiKeys, join(options.directory, 'api-keys.json'));
    const attributes = new CustomAttributes();
    const context = { plan, options, clock, activity, logsDirectory, keyValues, attributes, resources };
    return await run(context, api, options.port);
  } catch (error) {
    await resources.disposeAsync().catch((failure: unknown) => process.emitWarning(`local mode: ${String(failure)}`));
    throw error;
  }
}

async function run(context: ServiceContext, api: ApiPlan, port: number): Promise<LocalStack> {
  const { plan, options, activity, logsDirectory, keyValues, attributes, resources } = context;
  const services = await openServices(context);
  const notCreated = await createCustomResources(plan.customResources, services.lambda, attributes);
  // Nothing will invoke their functions again.
  await services.lambda.reapIdle(0);
  const stageVariables = api.stageVariables && attributes.fill(api.stageVariables);
  const gateway = await openGateway(context, { ...api, stageVariables }, services.lambda, port);
  await services.sagemaker.ready();
  await services.lambda.warmUp();
  for (const source of services.eventSources) source.start();
  services.schedules.start();
  const models = await findServedModels(plan.functions);
  const description = describeApp(plan, api, {
    url: gateway.url,
    endpointUrl: services.endpoint.url,
    keyValues,
    models: models.map(({ id }) => id),
    logs: relative(process.cwd(), logsDirectory) || '.',
  });
  const file = await describeInstance(options.directory, description);
  resources.defer(() => rm(file, { force: true }));
  return {
    ...controls(context, services),
    url: gateway.url,
    file,
    endpointUrl: services.endpoint.url,
    plan: { ...plan, notRun: [...plan.notRun, ...notCreated, ...services.sagemaker.unmet()] },
    description,
    models,
    activity,
  };
}

/** @throws AppError `TEMPLATE_INVALID` unless the app has exactly one REST API. */
function onlyApi({ apis }: LocalPlan, assembly: string): ApiPlan {
  const [api, ...others] = apis;
  if (api === undefined) throw new AppError('TEMPLATE_INVALID', `${assembly} holds no REST API to run`);
  if (others.length === 0) return api;
  throw new AppError('TEMPLATE_INVALID', `${assembly} holds ${apis.length} REST APIs, local mode runs one`);
}

async function openGateway(
  { plan, clock, activity, keyValues, resources }: ServiceContext,
  api: ApiPlan,
  host: LambdaHost,
  port: number,
): Promise<GatewayServer> {
  const { permissions } = plan;
  const gateway = resources.use(new GatewayServer({ api, keyValues, host, permissions, clock, activity }));
  await gateway.listen(port);
  return gateway;
}

/** The members of a running app by which tests and consoles look into its services. */
function controls({ clock, resources }: ServiceContext, services: LocalServices) {
  const { dynamodb, queues, objects, lambda, sagemaker, events, asyncInference, eventSources } = services;
  return {
    dynamodb,
    queues,
    objects,
    lambda,
    endpoints: sagemaker,
    isBusy: () => events.isBusy || asyncInference.isBusy || eventSources.some((source) => source.isBusy),
    now: () => clock.now(),
    advance: async (ms: number) => {
      clock.advance(ms);
      await dynamodb.sweep();
      await objects.sweep();
    },
    stop: () => resources.disposeAsync(),
  };
}
