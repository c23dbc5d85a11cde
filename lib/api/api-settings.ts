import {
  type DeployConfig,
  parseDeployConfig,
  type TenantConfig,
  type UsagePlanConfig,
} from '../../core/config/deploy-config.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import type { Budgets } from '../../core/identity/budgets.ts';
import type { KeyHeader } from '../../core/identity/credentials.ts';
import { type CacheSettings, checkStageName, type GrantSettings } from '../jobs/jobs-settings.ts';

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
  readonly throttle?: { readonly rateLimit: number; readonly burstLimit: number };
  /**
   * The account's concurrent executions of AWS Lambda, against which reservations of models are checked. With jobs, those of
   * `Jobs` count.
   *
   * @default - an account of 1000
   */
  readonly concurrency?: Partial<DeployConfig['concurrency']>;
  /**
   * How many days logs are kept; one of the periods that CloudWatch Logs offers.
   *
   * @default 30
   */
  readonly logRetentionDays?: DeployConfig['logRetentionDays'];
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
   * Responses of at least this many bytes are compressed for clients that accept it.
   *
   * @default 1024
   */
  readonly minimumCompressionBytes?: number;
  /**
   * Whether requests are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
  /**
   * Whether the results table outlives the stack.
   *
   * @default true
   */
  readonly retainData?: boolean;
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

/** Limits of a usage plan, and what it grants to the jobs of its callers. */
export interface UsagePlanSettings extends GrantSettings {
  /** Requests per second in the long run, from 0.1 to 10,000. */
  readonly rateLimit: number;
  /** Maximum number of requests in a burst, from 1 to 5000. */
  readonly burstLimit: number;
  /**
   * Requests in a period.
   *
   * @default - no quota
   */
  readonly quota?: NonNullable<UsagePlanConfig['quota']>;
  /**
   * What the work of one tenant may take up at a time: `storedBytes`, `files`, `fileBytes`, `webhooks`, `openUploads`,
   * `openBatches`, `batchRequests` and `batchOutputBytes`.
   *
   * @default - 100 GiB, 10,000 files of up to 5 GiB, 20 webhooks, 100 uploads, 100 batches of up to 1,000,000 requests and 20 GiB of output
   */
  readonly budgets?: Partial<Budgets>;
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
  readonly id?: TenantConfig['id'];
}

/** Settings with every default filled in. */
export interface ResolvedApiSettings extends Omit<DeployConfig, 'jobs'> {
  readonly stageName: string;
}

/**
 * Fills in the defaults and checks the ranges.
 *
 * @param source - Path of the construct, for the message.
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function resolveApiSettings(settings: ApiSettings, source: string): ResolvedApiSettings {
  const { usagePlans, auth, tenants, cache, throttle, logRetentionDays, minimumCompressionBytes, tracing } = settings;
  const { retainData, maxIdleMonthlyUsd, metrics, metricsNamespace, systemLogLevel, alarms, concurrency } = settings;
  const { jobs: _, ...config } = parseDeployConfig(
    {
      usagePlans,
      auth,
      tenants,
      cache,
      throttle,
      concurrency,
      logRetentionDays,
      minimumCompressionBytes,
      systemLogLevel,
      alarms: alarms === undefined ? undefined : { enabled: alarms },
      tracing,
      metrics,
      metricsNamespace,
      retainData,
      maxIdleMonthlyUsd,
    },
    source,
  );
  const stageName = settings.stageName ?? 'prod';
  checkStageName(stageName);
  return { ...config, stageName };
}
