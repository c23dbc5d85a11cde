import {
  type DeployConfig,
  type JobsConfig,
  parseDeployConfig,
  STAGE_PATTERN,
  STAGE_RULE,
} from '../../core/config/deploy-config.ts';
import { AppError } from '../../core/errors.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import type { CacheScope } from '../../core/results/cache-scope.ts';

/** Which callers share cached results. */
export interface CacheSettings {
  /**
   * Callers of one tenant, of one usage plan, or all. The last two let a caller learn from `x-cache` and from the time of
   * a response what others have asked.
   *
   * @default 'tenant'
   */
  readonly scope?: CacheScope;
}

/** Objects of a bucket from which jobs may read their inputs. */
export interface InputBucketSettings {
  /** Name of the bucket; one of `inputBuckets`. */
  readonly bucket: string;
  /**
   * Beginning of the keys: `team-a/`.
   *
   * @default - every object of the bucket
   */
  readonly prefix?: string;
}

/** Resources of the account that jobs may use. */
export interface GrantSettings {
  /**
   * Names of the reply queues that jobs may name.
   *
   * @default - none for a usage plan, all for producers
   */
  readonly replyQueues?: readonly string[];
  /**
   * Whether jobs may send events to the event bus.
   *
   * @default - false for a usage plan, true for producers
   */
  readonly eventBus?: boolean;
  /**
   * Objects that jobs may name as `input_s3`.
   *
   * @default - none for a usage plan, all for producers
   */
  readonly inputBuckets?: readonly InputBucketSettings[];
}

/** Settings of jobs; the same as below `jobs` in `config/<stage>.yaml`. */
export interface JobsSettings {
  /**
   * Name of the stage, part of the names of the event bus and its log, and a dimension of the metrics.
   *
   * @default 'prod'
   */
  readonly stageName?: string;
  /**
   * Id of the model that serves jobs for `/v1/embeddings` that name none; the same as the API's.
   *
   * @default - the first embedding model in the order of ids
   */
  readonly defaultEmbeddingModel?: string;
  /**
   * How many days records, inputs and results of jobs are kept.
   *
   * @default 7
   */
  readonly retentionDays?: number;
  /**
   * Names of queues that jobs may name for their results.
   *
   * @default - none
   */
  readonly replyQueues?: readonly string[];
  /**
   * Names of buckets from which jobs may read inputs, in addition to the payload bucket.
   *
   * @default - none
   */
  readonly inputBuckets?: readonly string[];
  /**
   * What the jobs of producers may use: anyone who may send to the producer queue.
   *
   * @default - every reply queue, the event bus, and every input bucket
   */
  readonly producers?: GrantSettings;
  /**
   * Which callers share cached results; the same as the API's.
   *
   * @default - `scope: 'tenant'`: a response does not show what another tenant has asked before
   */
  readonly cache?: CacheSettings;
  /**
   * Whether to create alarms on dead letters, on the age of waiting messages and on failures of the scheduled function. Each
   * alarm costs money while idle.
   *
   * @default false
   */
  readonly alarms?: boolean;
  /**
   * Maximum size of a file in bytes, up to 5 GiB.
   *
   * @default 5368709120
   */
  readonly maxFileBytes?: number;
  /**
   * How many days files of callers and of batches are kept.
   *
   * @default 30
   */
  readonly fileRetentionDays?: number;
  /**
   * Days that dead letters are kept, 14 at most. A dead letter is a message that no function could process.
   *
   * @default 14
   */
  readonly deadLetterRetentionDays?: number;
  /**
   * How the concurrent executions of AWS Lambda are divided: `account`, the account's quota, and `interactiveShare`, the share of
   * it for requests that callers wait for.
   *
   * @default { account: 1000, interactiveShare: 0.5 }
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
   * Whether functions are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
  /**
   * Whether the tables and the bucket that the construct creates are retained when the stack is deleted.
   *
   * @default true
   */
  readonly retainData?: boolean;
}

/** Settings with every default filled in. */
export interface ResolvedJobs
  extends Pick<
    DeployConfig,
    | 'logRetentionDays'
    | 'systemLogLevel'
    | 'tracing'
    | 'retainData'
    | 'metrics'
    | 'metricsNamespace'
    | 'cache'
    | 'concurrency'
  > {
  readonly stageName: string;
  readonly config: JobsConfig;
}

/**
 * Fills in the defaults and checks the ranges.
 *
 * @param source - Path of the construct, for the message.
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function resolveJobsSettings(settings: JobsSettings, source: string): ResolvedJobs {
  const { logRetentionDays, tracing, retainData, metrics, metricsNamespace, cache, stageName = 'prod' } = settings;
  const { concurrency, systemLogLevel } = settings;
  const { retentionDays, replyQueues, inputBuckets, producers, alarms } = settings;
  const { maxFileBytes, fileRetentionDays, deadLetterRetentionDays } = settings;
  const jobs = {
    retentionDays,
    replyQueues,
    inputBuckets,
    producers,
    alarms,
    maxFileBytes,
    fileRetentionDays,
    deadLetterRetentionDays,
  };
  const config = parseDeployConfig(
    { logRetentionDays, systemLogLevel, tracing, retainData, metrics, metricsNamespace, cache, concurrency, jobs },
    source,
  );
  checkStageName(stageName);
  return { ...config, config: config.jobs, stageName };
}

/** @throws AppError `CONFIG_INVALID` when a name cannot be part of a path. */
export function checkStageName(stageName: string): void {
  if (STAGE_PATTERN.test(stageName)) return;
  throw new AppError('CONFIG_INVALID', `stageName must be ${STAGE_RULE}, got ${JSON.stringify(stageName)}`);
}
