import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { ObjectAction, PayloadKind } from '../../core/functions/permissions.ts';
import { PAYLOAD_PREFIXES } from '../../core/jobs/payload-keys.ts';
import { payloadDays } from '../../core/retention/retention.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';
import { withKey } from './own-table.ts';

/** How long the objects of a {@link PayloadBucket} are needed. Durations are whole days. */
export interface PayloadRetention {
  /**
   * How long records, inputs and results of jobs are kept.
   *
   * @default Duration.days(7)
   */
  readonly retention?: Duration;
  /**
   * How long files are kept.
   *
   * @default Duration.days(30)
   */
  readonly fileRetention?: Duration;
  /**
   * How long dead letters are kept. A redriven dead letter needs the input of its job.
   *
   * @default Duration.days(14)
   */
  readonly deadLetterRetention?: Duration;
}

/** Settings of a {@link PayloadBucket}. */
export interface PayloadBucketProps extends PayloadRetention {
  /**
   * Removal policy of the bucket. With `DESTROY`, the bucket must be empty when its stack is deleted.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Key that encrypts the objects. Functions that use the bucket may use the key too.
   *
   * @default - the key of Amazon S3, which costs nothing
   */
  readonly encryptionKey?: IKey;
}

/** Longer than an upload through the gateway or a merge can take. */
const UNFINISHED_UPLOAD_DAYS = 2;

/**
 * Large inputs and results, files of callers and parts of batches.
 *
 * The bucket is private and encrypted, and accepts TLS connections only. The functions delete objects together with their
 * records. Lifecycle rules delete objects that no record names any more.
 *
 * @example
 * const { bucket: payloadBucket } = new PayloadBucket(stack, 'Payloads', { fileRetention: Duration.days(7) });
 * new Jobs(stack, 'Jobs', { models, payloadBucket, fileRetention: Duration.days(7) });
 */
export class PayloadBucket extends Construct {
  /**
   * Returns the lifecycle rules that a bucket of your own needs to delete objects that no record names any more.
   *
   * @example
   * const payloadBucket = new Bucket(stack, 'Payloads', {
   *   enforceSSL: true,
   *   lifecycleRules: [...PayloadBucket.lifecycleRules()],
   * });
   * new Jobs(stack, 'Jobs', { models, payloadBucket });
   */
  static lifecycleRules({
    retention,
    fileRetention,
    deadLetterRetention,
  }: PayloadRetention = {}): readonly LifecycleRule[] {
    const days = payloadDays({
      retentionDays: retention?.toDays() ?? 7,
      fileRetentionDays: fileRetention?.toDays() ?? 30,
      deadLetterRetentionDays: deadLetterRetention?.toDays() ?? 14,
    });
    return [
      expiry('jobs', days.jobs),
      expiry('results', days.results),
      expiry('files', days.files),
      expiry('chunks', days.chunks),
      expiry('invocations', days.invocations),
      { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(UNFINISHED_UPLOAD_DAYS) },
    ];
  }

  /** The bucket itself. */
  readonly bucket: IBucket;

  constructor(scope: Construct, id: string, props: PayloadBucketProps = {}) {
    super(scope, id);
    const { encryptionKey, removalPolicy = RemovalPolicy.RETAIN } = props;
    const bucket = new Bucket(this, 'Bucket', {
      encryption: encryptionKey === undefined ? BucketEncryption.S3_MANAGED : BucketEncryption.KMS,
      encryptionKey,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      removalPolicy,
      lifecycleRules: [...PayloadBucket.lifecycleRules(props)],
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Functions log every request; server access logs would need a bucket that costs money while idle.',
    });
    this.bucket = bucket;
  }
}

/** Grants `grantee` these actions on objects of one kind, and nothing else. */
export function grantObjects(
  bucket: IBucket,
  grantee: IGrantable,
  kind: PayloadKind,
  actions: readonly ObjectAction[],
): Grant {
  explainWildcard(grantee, {
    arn: bucket.bucketArn,
    suffix: `/${PAYLOAD_PREFIXES[kind]}*`,
    reason: 'Objects of one kind lie below one prefix; their keys are made while jobs run.',
  });
  const grant = Grant.addToPrincipal({
    grantee,
    actions: actions.map((action) => `s3:${action}`),
    resourceArns: [bucket.arnForObjects(`${PAYLOAD_PREFIXES[kind]}*`)],
  });
  return withKey(grant, grantee, bucket.encryptionKey);
}

/**
 * Grants `grantee` permission to list keys. Without it, S3 returns 403 for an absent object. A function that checks
 * whether an object exists therefore needs this permission for the whole bucket.
 */
export function grantListKeys(bucket: IBucket, grantee: IGrantable): Grant {
  return Grant.addToPrincipal({ grantee, actions: ['s3:ListBucket'], resourceArns: [bucket.bucketArn] });
}

function expiry(kind: PayloadKind, days: number): LifecycleRule {
  return { id: kind, prefix: PAYLOAD_PREFIXES[kind], expiration: Duration.days(days) };
}
