import type { RemovalPolicy, Size } from 'aws-cdk-lib';
import type { Period } from 'aws-cdk-lib/aws-apigateway';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type DeployConfig, parseDeployConfig } from '../../core/config/deploy-config.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import type { KeyHeader } from '../../core/identity/credentials.ts';
import { BucketNames } from '../config/bucket-names.ts';
import {
  type CacheSettings,
  type ConcurrencySettings,
  checkStageName,
  type GrantSettings,
  grantsConfig,
  resolvePlaces,
} from '../jobs/jobs-settings.ts';

/** Settings of the API; the same as in `config/<stage>.yaml`. */
export interface ApiSettings {
  /**
   * Name of the API's stage, the first part of every path: lower-case letters, digits and hyphens.
   *
   * @default 'prod'
   */
  readonly stageName?: string;
  /**
   * Id of the model that serves `POST /v1/embeddings`.
   *
   * @default - the first embedding model in the order of ids
   */
  readonly defaultEmbeddingModel?: string;
  /**
   * Usage plans by name: requests per second, burst, quota, and the names of their keys.
   *
   * @default - free (5 per second, 10,000 a day), pro (50 per second, 5,000,000 a month), internal (1000 per second)
   */
  readonly usagePlans?: Readonly<Record<string, UsagePlanSettings>>;
  /**
   * How callers are identified.
   *
   * @default - the key in `Authorization: Bearer <key>` or in `x-api-key`, which needs an authorizer
   */
  readonly auth?: AuthSettings;
  /**
   * Callers whose jobs, files, batches and webhooks outlive their keys, by name.
   *
   * @default - none: each key of a usage plan is a tenant of its own
   */
  readonly tenants?: Readonly<Record<string, TenantSettings>>;
  /**
   * Which callers share cached results.
   *
   * @default - `scope: 'tenant'`: a response does not show what another tenant has asked before
   */
  readonly cache?: CacheSettings;
  /**
   * Maximum request rate of each method of the stage, over all callers.
   *
   * @default - 2000 requests per second, bursts of 4000
   */
  readonly throttle?: RateSettings;
  /**
   * The account's concurrent executions of AWS Lambda, against which reservations of models are checked. With jobs, those of
   * `Jobs` count.
   *
   * @default - an account of 1000
   */
  readonly concurrency?: ConcurrencySettings;
  /**
   * How long logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * How much the functions measure: `off` records no CloudWatch metrics, `basic` one set for each model, `detailed` also
   * one for each version and error code.
   *
   * @default 'basic'
   */
  readonly metrics?: MetricsLevel;
  /**
   * Namespace of the CloudWatch metrics. Two deployments with the same stage name in one account and region need
   * different ones.
   *
   * @default 'Tensorgate'
   */
  readonly metricsNamespace?: string;
  /**
   * Which lines AWS Lambda itself writes about invocations: with `INFO` two for each, with `WARN` those of failures only.
   *
   * @default 'INFO'
   */
  readonly systemLogLevel?: SystemLogLevel;
  /**
   * Whether to create alarms on responses with status 5xx, and on failed and throttled functions of models. Each alarm costs
   * money while idle.
   *
   * @default false
   */
  readonly alarms?: boolean;
  /**
   * Responses of at least this size are compressed for clients that accept it.
   *
   * @default Size.kibibytes(1)
   */
  readonly minCompressionSize?: Size;
  /**
   * Whether requests are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
  /**
   * Removal policy of the results table, if the construct creates one.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Maximum cost of the idle deployment in US dollars a month. Synthesis fails if it costs more.
   *
   * @default - no limit
   */
  readonly maxIdleMonthlyUsd?: number;
  /**
   * Whether to set the role with which API Gateway writes logs. Each account and region has one; use false if it is set
   * already.
   *
   * @default true
   */
  readonly cloudWatchRole?: boolean;
}

/** Maximum rate of requests. */
export interface RateSettings {
  /** Requests per second in the long run, from 0.1 to 10,000. */
  readonly rateLimit: number;
  /** Maximum number of requests in a burst, from 1 to 5000. */
  readonly burstLimit: number;
}

/** Maximum number of requests over a longer time. */
export interface RequestQuota {
  /** Maximum number of requests of one key in a period. */
  readonly limit: number;
  /** Period after which the count starts again, in UTC. */
  readonly period: Period;
}

/** Limits on the work that one tenant may have at a time. */
export interface BudgetSettings {
  /**
   * Size of all files, outputs of batches included, and of uploads that have not ended.
   *
   * @default Size.gibibytes(100)
   */
  readonly storedSize?: Size;
  /**
   * Number of files.
   *
   * @default 10000
   */
  readonly files?: number;
  /**
   * Size of one file.
   *
   * @default Size.gibibytes(5)
   */
  readonly fileSize?: Size;
  /**
   * Registered webhooks. Each of them is called for every job.
   *
   * @default 20
   */
  readonly webhooks?: number;
  /**
   * Multipart uploads that have not ended.
   *
   * @default 100
   */
  readonly openUploads?: number;
  /**
   * Batches that have not ended.
   *
   * @default 100
   */
  readonly openBatches?: number;
  /**
   * Requests of one batch.
   *
   * @default 1000000
   */
  readonly batchRequests?: number;
  /**
   * Size of all outputs of one batch.
   *
   * @default Size.gibibytes(20)
   */
  readonly batchOutputSize?: Size;
}

/** Limits of a usage plan, and what it grants to the jobs of its callers. */
export interface UsagePlanSettings extends RateSettings, GrantSettings {
  /**
   * Maximum number of requests of one key over a longer time.
   *
   * @default - no quota
   */
  readonly quota?: RequestQuota;
  /**
   * Limits on the work that one tenant may have at a time.
   *
   * @default - the default of each budget
   */
  readonly budgets?: BudgetSettings;
  /**
   * Names of the plan's keys.
   *
   * @default ['default']
   */
  readonly keys?: readonly string[];
}

/** How callers are identified. */
export interface AuthSettings {
  /**
   * Headers by which callers may present their keys. `bearer` is `Authorization: Bearer <key>`, which every OpenAI client
   * sends; it needs an authorizer. With both, each request calls it; with `bearer` alone, API Gateway keeps its results for
   * 5 minutes; with `x-api-key` alone, there is none.
   *
   * @default ['bearer', 'x-api-key']
   */
  readonly accept?: KeyHeader | readonly KeyHeader[];
}

/** A caller with up to two keys at a time, so that a key can be replaced without losing anything. */
export interface TenantSettings {
  /** Name of the usage plan whose limits apply to each key of the tenant. */
  readonly plan: string;
  /**
   * Names of the active keys: one, or two during a rotation.
   *
   * @default ['default']
   */
  readonly keys?: readonly string[];
  /**
   * Owner in the records of the tenant: 1 to 64 letters, digits, hyphens and underscores.
   *
   * @default - the name of the tenant
   */
  readonly id?: string;
}

/** Settings with every default filled in. */
export interface ResolvedApiSettings extends Omit<DeployConfig, 'jobs' | 'logRetentionDays' | 'retainData'> {
  readonly stageName: string;
  readonly logRetention: RetentionDays;
}

/**
 * Fills in the defaults and checks the ranges.
 *
 * @param source - Path of the construct, for the message.
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function resolveApiSettings(settings: ApiSettings, source: string): ResolvedApiSettings {
  const { usagePlans, auth, tenants, cache, throttle, tracing, maxIdleMonthlyUsd, systemLogLevel, alarms } = settings;
  const {
    metrics,
    metricsNamespace,
    stageName = 'prod',
    logRetention = RetentionDays.ONE_MONTH,
    concurrency,
  } = settings;
  const names = new BucketNames();
  const { jobs: _, ...config } = parseDeployConfig(
    {
      usagePlans: usagePlans && mapValues(usagePlans, (plan) => planConfig(plan, names)),
      auth,
      tenants,
      cache,
      throttle,
      concurrency,
      minimumCompressionBytes: settings.minCompressionSize?.toBytes(),
      systemLogLevel,
      alarms: alarms === undefined ? undefined : { enabled: alarms },
      tracing,
      metrics,
      metricsNamespace,
      maxIdleMonthlyUsd,
    },
    source,
  );
  checkStageName(stageName);
  const plans = mapValues(config.usagePlans, (plan) => ({
    ...plan,
    inputBuckets: resolvePlaces(plan.inputBuckets, names),
  }));
  return { ...config, usagePlans: plans, stageName, logRetention };
}

/** Writes a usage plan as `config/<stage>.yaml` has it. */
function planConfig({ budgets, ...plan }: UsagePlanSettings, names: BucketNames) {
  return { ...grantsConfig(plan, names), budgets: budgets && budgetsConfig(budgets) };
}

function budgetsConfig({ storedSize, fileSize, batchOutputSize, ...counts }: BudgetSettings) {
  return {
    ...counts,
    storedBytes: storedSize?.toBytes(),
    fileBytes: fileSize?.toBytes(),
    batchOutputBytes: batchOutputSize?.toBytes(),
  };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, convert: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}
