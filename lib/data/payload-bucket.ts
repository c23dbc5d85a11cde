import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { ObjectAction, PayloadKind } from '../../core/functions/permissions.ts';
import { PAYLOAD_PREFIXES } from '../../core/jobs/payload-keys.ts';
import { payloadDays } from '../../core/retention/retention.ts';
import { explainWildcard } from '../security/wildcard-reason.ts';

/** Settings of a {@link PayloadBucket}. */
export interface PayloadBucketProps {
  /**
   * Days that records, inputs and results of jobs are kept.
   *
   * @default 7
   */
  readonly retentionDays?: number;
  /**
   * Days that files are kept.
   *
   * @default 30
   */
  readonly fileRetentionDays?: number;
  /**
   * Days that dead letters are kept. A redriven dead letter needs the input of its job.
   *
   * @default 14
   */
  readonly deadLetterRetentionDays?: number;
  /**
   * Whether the bucket outlives its stack; if not, it must be empty when the stack is removed.
   *
   * @default true
   */
  readonly retainData?: boolean;
}

/** Longer than an upload through the gateway or a merge can take. */
const UNFINISHED_UPLOAD_DAYS = 2;

/**
 * Large inputs and results, files of callers and parts of batches.
 *
 * The bucket is private and encrypted, and accepts TLS connections only. The functions delete objects together with their
 * records. Lifecycle rules delete what no record names any more (see `payloadDays`).
 */
export class PayloadBucket extends Construct {
  /** The bucket itself. */
  readonly bucket: IBucket;

  constructor(scope: Construct, id: string, props: PayloadBucketProps = {}) {
    super(scope, id);
    const { retentionDays = 7, fileRetentionDays = 30, deadLetterRetentionDays = 14 } = props;
    const days = payloadDays({ retentionDays, fileRetentionDays, deadLetterRetentionDays });
    const bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      removalPolicy: (props.retainData ?? true) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      lifecycleRules: [
        expiry('jobs', days.jobs),
        expiry('results', days.results),
        expiry('files', days.files),
        expiry('chunks', days.chunks),
        expiry('invocations', days.invocations),
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(UNFINISHED_UPLOAD_DAYS) },
      ],
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Functions log every request; server access logs would need a bucket that costs money while idle.',
    });
    this.bucket = bucket;
  }

  /** Grants `grantee` these actions on objects of one kind, and nothing else. */
  grantObjects(grantee: IGrantable, kind: PayloadKind, actions: readonly ObjectAction[]): Grant {
    explainWildcard(grantee, {
      arn: this.bucket.bucketArn,
      suffix: `/${PAYLOAD_PREFIXES[kind]}*`,
      reason: 'Objects of one kind lie below one prefix; their keys are made while jobs run.',
    });
    return Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `s3:${action}`),
      resourceArns: [this.bucket.arnForObjects(`${PAYLOAD_PREFIXES[kind]}*`)],
    });
  }

  /**
   * Grants `grantee` permission to list keys. Without it, S3 returns 403 for an absent object. A function that checks
   * whether an object exists therefore needs this permission for the whole bucket.
   */
  grantList(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({ grantee, actions: ['s3:ListBucket'], resourceArns: [this.bucket.bucketArn] });
  }
}

function expiry(kind: PayloadKind, days: number) {
  return { id: kind, prefix: PAYLOAD_PREFIXES[kind], expiration: Duration.days(days) };
}
