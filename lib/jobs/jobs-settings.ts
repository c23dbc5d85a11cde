import type { RemovalPolicy, Size } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
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
import type { InputPlace } from '../../core/identity/grants.ts';
import type { CacheScope } from '../../core/results/cache-scope.ts';
import { BucketNames } from '../config/bucket-names.ts';
import { wholeDays } from '../config/whole-days.ts';
import type { PayloadRetention } from '../data/payload-bucket.ts';

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
  /** The bucket; one of `inputBuckets` of the `Jobs`. */
  readonly bucket: IBucket;
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

/** How the concurrent executions of AWS Lambda are divided. */
export interface ConcurrencySettings {
  /**
   * Quota "Concurrent executions" of AWS Lambda of the account in the region. A new account may have 10.
   *
   * @default 1000
   */
  readonly account?: number;
  /**
   * Share of the quota for requests that callers wait for, from 0 to 0.95.
   *
   * @default 0.5
   */
  readonly interactiveShare?: number;
}

/** Settings of jobs; the same as below `jobs` in `config/<stage>.yaml`. */
export interface JobsSettings extends PayloadRetention {
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
   * Names of queues that jobs may name for their results.
   *
   * @default - none
   */
  readonly replyQueues?: readonly string[];
  /**
   * Buckets from which jobs may read inputs, in addition to the payload bucket. Workers may read every object in them.
   *
   * @default - none
   */
  readonly inputBuckets?: readonly IBucket[];
  /**
   * Resources that the jobs of producers may use. A producer is a principal that may send to the producer queue.
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
   * Maximum size of a file, up to 5 GiB.
   *
   * @default Size.gibibytes(5)
   */
  readonly maxFileSize?: Size;
  /**
   * How the concurrent executions of AWS Lambda are divided.
   *
   * @default - an account with 1000, of which half are for requests that callers wait for
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
   * Whether functions are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
  /**
   * Removal policy of the tables and the bucket that the construct creates.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** Settings with every default filled in. */
export interface ResolvedJobs
  extends Pick<DeployConfig, 'systemLogLevel' | 'tracing' | 'metrics' | 'metricsNamespace' | 'cache' | 'concurrency'> {
  readonly stageName: string;
  readonly logRetention: RetentionDays;
  readonly config: JobsConfig;
}

/**
 * Fills in the defaults and checks the ranges.
 *
 * @param source - Path of the construct, for the message.
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function resolveJobsSettings(settings: JobsSettings, source: string): ResolvedJobs {
  const { logRetention = RetentionDays.ONE_MONTH, stageName = 'prod', inputBuckets, producers } = settings;
  const { tracing, metrics, metricsNamespace, cache, concurrency, systemLogLevel, replyQueues, alarms } = settings;
  const names = new BucketNames();
  const jobs = {
    replyQueues,
    alarms,
    inputBuckets: inputBuckets?.map((bucket) => names.standIn(bucket)),
    producers: producers && grantsConfig(producers, names),
    retentionDays: wholeDays('retention', settings.retention),
    fileRetentionDays: wholeDays('fileRetention', settings.fileRetention),
    deadLetterRetentionDays: wholeDays('deadLetterRetention', settings.deadLetterRetention),
    maxFileBytes: settings.maxFileSize?.toBytes(),
  };
  const config = parseDeployConfig(
    { systemLogLevel, tracing, metrics, metricsNamespace, cache, concurrency, jobs },
    source,
  );
  checkStageName(stageName);
  return { ...config, config: withBucketNames(config.jobs, names), stageName, logRetention };
}

function withBucketNames(config: JobsConfig, names: BucketNames): JobsConfig {
  const { producers, inputBuckets } = config;
  return {
    ...config,
    inputBuckets: inputBuckets.map((name) => names.resolve(name)),
    producers: { ...producers, inputBuckets: producers.inputBuckets && resolvePlaces(producers.inputBuckets, names) },
  };
}

/** Writes grants as `config/<stage>.yaml` has them. */
export function grantsConfig({ inputBuckets, ...grants }: GrantSettings, names: BucketNames) {
  return { ...grants, inputBuckets: inputBuckets?.map((place) => ({ ...place, bucket: names.standIn(place.bucket) })) };
}

/** Replaces the stand-ins of a checked list of buckets. */
export function resolvePlaces(places: readonly InputPlace[], names: BucketNames): InputPlace[] {
  return places.map(({ bucket, prefix }) => ({ bucket: names.resolve(bucket), prefix }));
}

/** @throws AppError `CONFIG_INVALID` when a name cannot be part of a path. */
export function checkStageName(stageName: string): void {
  if (STAGE_PATTERN.test(stageName)) return;
  throw new AppError('CONFIG_INVALID', `stageName must be ${STAGE_RULE}, got ${JSON.stringify(stageName)}`);
}
