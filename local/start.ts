import { join, relative } from 'node:path';
import { AppError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { readKeyValues } from './api-key-store.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import { principals } from './iam/principals.ts';
import { describeKeys, type LocalDescription, removeDescription, writeDescription } from './local-description.ts';
import { findServedModels, type ServedModel } from './served-models.ts';
import { type AnsweredRequest, GatewayServer } from './services/api-gateway/gateway-server.ts';
import { DynamoDbEngine } from './services/dynamodb/dynamodb-engine.ts';
import { DynamoDbService } from './services/endpoint/dynamodb-service.ts';
import { EndpointServer } from './services/endpoint/endpoint-server.ts';
import { LambdaService } from './services/endpoint/lambda-service.ts';
import { accessKeyOf } from './services/lambda/environment-variables.ts';
import { LambdaHost } from './services/lambda/lambda-host.ts';
import { type LocalPlan, planAssembly } from './template/plan.ts';
import type { ApiPlan } from './template/plan-apis.ts';
import { readAssembly } from './template/read-assembly.ts';

/** How often items whose time to live has passed are deleted. */
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
  const clock = options.clock ?? SYSTEM_CLOCK;
  const logsDirectory = join(options.directory, 'logs');
  const endpoint = await EndpointServer.listen();
  cleanUp.push(() => endpoint.close());
  const dynamodb = await openTables(plan, clock, cleanUp);
  const lambda = new LambdaHost({
    functions: plan.functions,
    logsDirectory,
    endpointUrl: endpoint.url,
    maxEnvironments: options.maxEnvironments,
    initLimitMs: options.initLimitMs,
  });
  cleanUp.push(() => lambda.stop());
  const callers = principals(plan.functions, plan.roles, accessKeyOf);
  endpoint.connect([new DynamoDbService(dynamodb), new LambdaService(lambda)], callers);
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
  await lambda.warmUp();
  const models = await findServedModels(plan.functions);
  const description: LocalDescription = {
    url: gateway.url,
    stage: api.stage,
    apiKeys: describeKeys(api, keyValues),
    endpoints: { lambda: endpoint.url, ...(plan.tables.length === 0 ? {} : { dynamodb: endpoint.url }) },
    queues: {},
    models: models.map(({ id }) => id),
    logs: relative(process.cwd(), logsDirectory) || '.',
  };
  const file = join(options.directory, 'local.json');
  await writeDescription(file, description);
  cleanUp.push(() => removeDescription(file));
  return { url: gateway.url, endpointUrl: endpoint.url, description, plan, models, lambda, dynamodb, stop };
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
