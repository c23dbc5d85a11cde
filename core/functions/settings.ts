import { AppError } from '../errors.ts';
import type { KeyHeader } from '../identity/credentials.ts';
import type { Grants } from '../identity/grants.ts';
import { jsonOrUndefined } from '../json/json.ts';
import type { ModelAliases } from '../models/model-names.ts';
import type { CacheScope } from '../results/cache-scope.ts';
import type { MetricsLevel } from './metrics-level.ts';

/** URLs of the queues of one model. */
export interface ModelQueues {
  readonly jobs: string;
  readonly chunks: string;
}

/** Settings that the deployment passes to functions; each function gets those that its entry in the table names. */
export interface FunctionSettings {
  /** Name of the stage, a dimension of the metrics. */
  readonly stage: string;
  /** Namespace of the CloudWatch metrics. */
  readonly metricsNamespace: string;
  /** How much is measured. */
  readonly metrics: MetricsLevel;
  /** Name of the DynamoDB results table. */
  readonly resultsTable: string;
  /** Callers who share cached results; by default, those of one tenant. */
  readonly cacheScope: CacheScope;
  /** Name of the SageMaker endpoint that runs the model. */
  readonly endpoint: string;
  /** Ids of the other models of the task, for requests to a shared route that name them. */
  readonly siblings: readonly string[];
  /** Path of the parameters with the ARNs of the models' functions. */
  readonly functionsPath: string;
  /** Name of the jobs table. */
  readonly jobsTable: string;
  /** Name of the webhooks table. */
  readonly webhooksTable: string;
  /** Name of the payload bucket. */
  readonly payloadBucket: string;
  /** URL of the jobs queue of the function's own model. */
  readonly ownJobsQueue: string;
  /** Queues of the function's own model. */
  readonly ownQueues: ModelQueues;
  /** Path of the parameters with the URLs of the queues of models, and of reply queues. */
  readonly queuesPath: string;
  /** Ids of the models that jobs may name. */
  readonly modelIds: readonly string[];
  /** Ids of the models by alias. */
  readonly modelAliases: ModelAliases;
  /** Ids of the models by task, of tasks with routes that models share; the first serves requests that name none. */
  readonly taskModels: Readonly<Record<string, readonly string[]>>;
  /** URL of the queue of batch steps. */
  readonly batchesQueue: string;
  /** URL of the queue of webhook deliveries. */
  readonly webhooksQueue: string;
  /** URL of the queue of messages that no worker completed. */
  readonly lostJobsQueue: string;
  /** URL of the operators' dead-letter queue. */
  readonly deadLettersQueue: string;
  /** URL of the producers' queue; dead letters name it as the queue to return them to. */
  readonly jobsQueue: string;
  /** Name of the event bus. */
  readonly eventBus: string;
  /** Resources that the jobs of producers may use. */
  readonly producerGrants: Grants;
  /** How many days records and payloads of jobs are kept. */
  readonly retentionDays: number;
  /** How many days files are kept. */
  readonly fileRetentionDays: number;
  /** How often work may be started before it fails. */
  readonly maxReceiveCount: number;
  /** Maximum number of concurrent invocations that deliver webhooks. */
  readonly webhookConcurrency: number;
  /** Maximum size of a file, in bytes. */
  readonly maxFileBytes: number;
  /** Headers by which callers may present their keys. */
  readonly acceptedHeaders: readonly KeyHeader[];
}

/** Name of a setting. */
export type SettingName = keyof FunctionSettings;

/** The settings of one function. */
export interface SettingsOfFunction {
  /** Settings that the function always gets. */
  readonly required: readonly SettingName[];
  /**
   * Settings that the function gets only if the deployment has the resource that they name.
   *
   * @default - none
   */
  readonly optional?: readonly SettingName[];
}

/** Return type of {@link readSettings} for a function. */
export type SettingsOf<S extends SettingsOfFunction> = Pick<FunctionSettings, S['required'][number]> &
  Partial<Pick<FunctionSettings, NonNullable<S['optional']>[number]>>;

/**
 * Settings that are in the package of the function, because they grow with the number of models: the environment variables of
 * a function have 4 KB. Synthesis knows them, so they need no names that only the deployment knows.
 */
const PACKAGED: ReadonlySet<SettingName> = new Set<SettingName>([
  'siblings',
  'modelIds',
  'modelAliases',
  'taskModels',
  'producerGrants',
]);

/** File of the package that holds its settings. */
export const PACKAGED_SETTINGS_FILE = 'settings.json';

/** Settings that are JSON in the environment, with the shape of each; all others are text as it stands. */
const SHAPES: { readonly [name in SettingName]?: 'number' | 'list' | 'map' } = {
  ownQueues: 'map',
  siblings: 'list',
  modelIds: 'list',
  modelAliases: 'map',
  taskModels: 'map',
  producerGrants: 'map',
  acceptedHeaders: 'list',
  retentionDays: 'number',
  fileRetentionDays: 'number',
  maxReceiveCount: 'number',
  webhookConcurrency: 'number',
  maxFileBytes: 'number',
};

/** Set by local mode only: webhooks may go to this machine, and over plain HTTP. */
export const ALLOW_LOOPBACK_VARIABLE = 'TENSORGATE_ALLOW_LOOPBACK_WEBHOOKS';

type Variables = Readonly<Record<string, string | undefined>>;

/** Settings as they are in a package, by name. */
type Packaged = Readonly<Record<string, unknown>>;

/** Returns the environment variable of a setting: `jobsTable` is in `TENSORGATE_JOBS_TABLE`. */
export function variableOf(name: SettingName): string {
  return `TENSORGATE_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

/**
 * Turns settings into environment variables, except those that are in the package. Text values may be tokens of the AWS CDK,
 * also inside lists and maps.
 */
export function renderSettings(settings: Partial<FunctionSettings>): Record<string, string> {
  return Object.fromEntries(
    definedSettings(settings)
      .filter(([name]) => !PACKAGED.has(name))
      .map(([name, value]) => [variableOf(name), SHAPES[name] === undefined ? String(value) : JSON.stringify(value)]),
  );
}

/** Renders the settings that are in the package; undefined if there are none. */
export function renderPackagedSettings(settings: Partial<FunctionSettings>): string | undefined {
  const packaged = definedSettings(settings).filter(([name]) => PACKAGED.has(name));
  return packaged.length === 0 ? undefined : JSON.stringify(Object.fromEntries(packaged));
}

function definedSettings(settings: Partial<FunctionSettings>): readonly [SettingName, unknown][] {
  const entries = Object.entries(settings) as [SettingName, unknown][];
  return entries.filter(([, value]) => value !== undefined);
}

/**
 * Reads the settings of a function.
 *
 * The deployment wrote them, so only the outermost shape of a value is checked.
 *
 * @param variables - The function's environment.
 * @param of - The function's settings in the table of functions.
 * @param packaged - The settings in the function's package. Defaults to none.
 * @throws AppError `CONFIG_INVALID` when a setting is missing or has another shape.
 */
export function readSettings<const S extends SettingsOfFunction>(
  variables: Variables,
  of: S,
  packaged: Packaged = {},
): SettingsOf<S> {
  const { required, optional = [] } = of;
  const present = optional.filter((name) =>
    PACKAGED.has(name) ? Object.hasOwn(packaged, name) : variables[variableOf(name)] !== undefined,
  );
  const read = [...required, ...present].map((name) => [
    name,
    PACKAGED.has(name) ? readPackaged(packaged, name) : readSetting(variables, name),
  ]);
  return Object.fromEntries(read) as SettingsOf<S>;
}

function readPackaged(packaged: Packaged, name: SettingName): unknown {
  const value = Object.hasOwn(packaged, name) ? packaged[name] : undefined;
  const shape = SHAPES[name] ?? 'string';
  if (shapeOf(value) === shape) return value;
  throw new AppError('CONFIG_INVALID', `${PACKAGED_SETTINGS_FILE} of the package must hold a ${shape} ${name}`);
}

function readSetting(variables: Variables, name: SettingName): unknown {
  const variable = variableOf(name);
  const text = variables[variable];
  if (text === undefined) throw new AppError('CONFIG_INVALID', `environment variable ${variable} is not set`);
  const shape = SHAPES[name];
  if (shape === undefined) return text;
  const value = jsonOrUndefined(text);
  if (shapeOf(value) === shape) return value;
  throw new AppError('CONFIG_INVALID', `environment variable ${variable} must be a ${shape} in JSON`);
}

function shapeOf(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' && value !== null ? 'map' : typeof value;
}
