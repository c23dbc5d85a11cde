import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { Period } from 'aws-cdk-lib/aws-apigateway';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { DeployConfig, UsagePlanConfig } from '../../core/config/deploy-config.ts';
import type { InputPlace } from '../../core/identity/grants.ts';
import type { ApiSettings, UsagePlanSettings } from '../api/api-settings.ts';
import type { InputBucketSettings, JobsSettings } from '../jobs/jobs-settings.ts';

/** Returns the removal policy that `retainData` of a configuration asks for. */
export function removalPolicyOf({ retainData }: DeployConfig): RemovalPolicy {
  return retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}

/**
 * Writes a configuration as settings of `InferenceApi`.
 *
 * @param scope - Stack that imports the buckets that the configuration names.
 */
export function apiSettingsOf(scope: Construct, config: DeployConfig): ApiSettings {
  const { jobs: _, logRetentionDays: logRetention, minimumCompressionBytes, usagePlans, alarms, ...same } = config;
  const plans = Object.entries(usagePlans).map(([name, plan]) => [name, planSettingsOf(scope, plan)]);
  return {
    ...same,
    usagePlans: Object.fromEntries(plans),
    logRetention,
    minCompressionSize: Size.bytes(minimumCompressionBytes),
    alarms: alarms?.enabled === true,
    removalPolicy: removalPolicyOf(config),
  };
}

/**
 * Writes a configuration as settings of `Jobs`.
 *
 * @param scope - Stack that imports the buckets that the configuration names.
 */
export function jobsSettingsOf(scope: Construct, config: DeployConfig): JobsSettings {
  const { tracing, systemLogLevel, metrics, metricsNamespace, cache, concurrency } = config;
  const { producers, replyQueues } = config.jobs;
  return {
    ...{ tracing, systemLogLevel, metrics, metricsNamespace, cache, concurrency, replyQueues },
    alarms: config.jobs.alarms || config.alarms?.enabled === true,
    ...payloadRetentionOf(config),
    logRetention: config.logRetentionDays,
    maxFileSize: Size.bytes(config.jobs.maxFileBytes),
    inputBuckets: config.jobs.inputBuckets.map((name) => bucketNamed(scope, name)),
    producers: { ...producers, inputBuckets: producers.inputBuckets && placesOf(scope, producers.inputBuckets) },
    removalPolicy: removalPolicyOf(config),
  };
}

/** Returns how long payloads are kept according to a configuration. */
export function payloadRetentionOf({ jobs }: DeployConfig) {
  return {
    retention: Duration.days(jobs.retentionDays),
    fileRetention: Duration.days(jobs.fileRetentionDays),
    deadLetterRetention: Duration.days(jobs.deadLetterRetentionDays),
  };
}

function planSettingsOf(
  scope: Construct,
  { quota, budgets, inputBuckets, ...same }: UsagePlanConfig,
): UsagePlanSettings {
  const { storedBytes, fileBytes, batchOutputBytes, ...counts } = budgets;
  return {
    ...same,
    quota: quota && { limit: quota.limit, period: Period[quota.period] },
    inputBuckets: placesOf(scope, inputBuckets),
    budgets: {
      ...counts,
      storedSize: Size.bytes(storedBytes),
      fileSize: Size.bytes(fileBytes),
      batchOutputSize: Size.bytes(batchOutputBytes),
    },
  };
}

function placesOf(scope: Construct, places: readonly InputPlace[]): InputBucketSettings[] {
  return places.map(({ bucket, prefix }) => ({ bucket: bucketNamed(scope, bucket), prefix }));
}

/** Each bucket is imported once. */
function bucketNamed(scope: Construct, name: string): IBucket {
  const id = `Input-${name}`;
  const existing = scope.node.tryFindChild(id);
  return existing === undefined ? Bucket.fromBucketName(scope, id, name) : (existing as IBucket & Construct);
}
