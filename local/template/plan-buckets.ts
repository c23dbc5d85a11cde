import * as v from 'valibot';
import type { NotRun } from './plan-functions.ts';
import { cfnNumber, ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** When objects of a bucket go by themselves. */
export interface LifecycleRule {
  /** Start of the keys that it concerns. */
  readonly prefix: string;
  /** Days after which an object is deleted. */
  readonly expirationDays: number | undefined;
  /** Days after which an incomplete multipart upload is deleted. */
  readonly abortUploadDays: number | undefined;
}

/** One bucket of Amazon S3. */
export interface BucketPlan {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  readonly lifecycle: readonly LifecycleRule[];
}

const status = v.picklist(['Enabled', 'Disabled']);

const ruleSchema = v.object({
  Status: status,
  Prefix: v.optional(v.string(), ''),
  ExpirationInDays: v.optional(cfnNumber),
  ExpirationDate: v.optional(v.string()),
  TagFilters: v.optional(v.array(v.unknown()), []),
  ObjectSizeGreaterThan: v.optional(v.union([v.string(), v.number()])),
  ObjectSizeLessThan: v.optional(v.union([v.string(), v.number()])),
  AbortIncompleteMultipartUpload: v.optional(v.object({ DaysAfterInitiation: cfnNumber })),
});

const bucketSchema = v.object({
  LifecycleConfiguration: v.optional(v.object({ Rules: v.array(ruleSchema) }), { Rules: [] }),
  VersioningConfiguration: v.optional(v.object({ Status: v.string() })),
  NotificationConfiguration: v.optional(v.unknown()),
  CorsConfiguration: v.optional(v.unknown()),
});

type BucketProperties = v.InferOutput<typeof bucketSchema>;
type RuleProperties = v.InferOutput<typeof ruleSchema>;

/**
 * Describes the buckets of an app.
 *
 * @returns The buckets, and what of them does not run here.
 * @throws AppError `TEMPLATE_INVALID` when a bucket is malformed.
 */
export function planBuckets(resources: readonly Resource[]): {
  readonly buckets: BucketPlan[];
  readonly notRun: NotRun[];
} {
  const notRun: NotRun[] = [];
  const buckets = ofType(resources, 'AWS::S3::Bucket').map((resource) => {
    const properties = readProperties(resource, bucketSchema);
    for (const reason of leftOut(properties)) {
      notRun.push({ resource: resource.logicalId, type: resource.type, reason });
    }
    return {
      name: resource.ref,
      arn: resource.attributes['Arn'] ?? '',
      logicalId: resource.logicalId,
      lifecycle: properties.LifecycleConfiguration.Rules.filter(isRun).map(planRule),
    };
  });
  return { buckets, notRun };
}

function planRule(rule: RuleProperties): LifecycleRule {
  return {
    prefix: rule.Prefix,
    expirationDays: rule.ExpirationInDays,
    abortUploadDays: rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation,
  };
}

function leftOut(properties: BucketProperties): string[] {
  const reasons: string[] = [];
  const { Rules: rules } = properties.LifecycleConfiguration;
  if (rules.some((rule) => rule.Status === 'Enabled' && !isRun(rule))) {
    reasons.push('rules of its lifecycle by date, tag or size are not followed here');
  }
  if (properties.VersioningConfiguration?.Status === 'Enabled') reasons.push('it keeps no versions here');
  if (properties.NotificationConfiguration !== undefined) reasons.push('local mode sends no notifications');
  if (properties.CorsConfiguration !== undefined) reasons.push('it answers no CORS preflights here');
  return reasons;
}

function isRun(rule: RuleProperties): boolean {
  const { TagFilters: tags, ObjectSizeGreaterThan: above, ObjectSizeLessThan: below, ExpirationDate: date } = rule;
  return (
    rule.Status === 'Enabled' && tags.length === 0 && above === undefined && below === undefined && date === undefined
  );
}
