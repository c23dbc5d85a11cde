import type { jobsTableKeys } from '../jobs/jobs-table.ts';
import type { PAYLOAD_PREFIXES } from '../jobs/payload-keys.ts';

/** Actions on records of a DynamoDB table that a function may be granted. */
export type RecordAction = 'GetItem' | 'BatchGetItem' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'Query';

/** Kinds of records in the jobs table: the keys of each start with its name. */
export type RecordKind = Exclude<keyof typeof jobsTableKeys, 'listKey' | 'listSort' | 'uploadPart' | 'asyncRun'>;

/** Kinds of objects in the payload bucket, each below a prefix of its own. */
export type PayloadKind = keyof typeof PAYLOAD_PREFIXES;

/** Actions on objects of Amazon S3 that a function may be granted. */
export type ObjectAction = 'GetObject' | 'PutObject' | 'DeleteObject' | 'AbortMultipartUpload';

/** Queues that belong to no model. */
export type SharedQueueName = 'jobs' | 'lost-jobs' | 'batches' | 'webhooks' | 'dead-letters';

/** Queues that each model has. */
export type ModelQueueName = 'jobs' | 'chunks';

/** Permissions of a function. It has no others. */
export interface Permissions {
  /** Actions on records of the jobs table. */
  readonly records: readonly RecordAction[];
  /**
   * Kinds of records that these actions are limited to.
   *
   * @default - all kinds
   */
  readonly recordKinds?: readonly RecordKind[];
  /** Whether it lists the records of an owner. */
  readonly listsRecords?: true;
  /** Whether it lists the records that are due. */
  readonly listsDueRecords?: true;
  /** Actions on items of the webhooks table, which holds secrets. */
  readonly webhooks?: readonly RecordAction[];
  /** Actions on objects of the payload bucket. */
  readonly objects: Partial<Record<PayloadKind, readonly ObjectAction[]>>;
  /** Whether it lists objects, or asks whether one exists. */
  readonly listsObjects?: true;
  /** Whether it reads inputs in the buckets that the deployment names. */
  readonly readsInputBuckets?: true;
  /** Queues without a model that it sends to. */
  readonly sends: readonly SharedQueueName[];
  /** Queues of models that it sends to: of its own model if it has one, otherwise of every model. */
  readonly sendsToModels?: readonly ModelQueueName[];
  /** Queues without a model whose depth it reads. */
  readonly inspects?: readonly SharedQueueName[];
  /** Queues of every model whose depth it reads. */
  readonly inspectsModels?: readonly ModelQueueName[];
  /** Whether it looks up the URLs of queues that only the deployment knows. */
  readonly findsQueues?: true;
  /** Whether it notifies destinations that a job has ended: reply queues, event bus, queue of webhooks. */
  readonly notifies?: true;
}
