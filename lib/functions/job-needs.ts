import type { JobsSettings } from '../../core/functions/jobs-settings.ts';
import type { RecordAction } from '../data/jobs-table.ts';
import type { ObjectAction, PayloadKind } from '../data/payload-bucket.ts';
import type { FunctionName } from '../packaging/package-layout.ts';

/** Queues that belong to no model. */
export type SharedQueueName = 'jobs' | 'lost-jobs' | 'batches' | 'webhooks' | 'dead-letters';

/** What one function is told and may do; whatever is not here it may not. */
export interface FunctionNeeds {
  /** Settings that it reads from its environment. */
  readonly settings: readonly (keyof JobsSettings)[];
  /** What it does with records of the jobs table. */
  readonly records: readonly RecordAction[];
  /** Whether it lists what an owner has. */
  readonly lists?: true;
  /** What it does with items of the webhooks table, which holds secrets. */
  readonly webhooks?: readonly RecordAction[];
  /** What it does with objects of the payload bucket. */
  readonly objects: Partial<Record<PayloadKind, readonly ObjectAction[]>>;
  /** Whether it lists objects, or asks whether one is there. */
  readonly listsObjects?: true;
  /** Whether it reads inputs in the buckets that the deployment names. */
  readonly readsInputBuckets?: true;
  /** Queues without a model that it sends to. */
  readonly sends: readonly SharedQueueName[];
  /** Queues of models that it sends to: of its own model where it has one, else of every model. */
  readonly sendsToModels?: readonly ('jobs' | 'chunks')[];
  /** Queues of models that it must tell apart without sending to them. */
  readonly namesModels?: readonly ('jobs' | 'chunks')[];
  /** Whether it tells destinations that a job has ended: reply queues, event bus, queue of webhooks. */
  readonly notifies?: true;
}

const RECORDS = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'] as const;

/** Needs of each function. Their `deps.ts` name the same settings. */
export const JOB_NEEDS: Readonly<Record<FunctionName, FunctionNeeds>> = {
  'serve-model': {
    settings: ['jobsTable', 'payloadBucket', 'modelQueues', 'retentionDays'],
    records: ['GetItem', 'PutItem'],
    objects: { jobs: ['GetObject', 'PutObject'] },
    sends: [],
    sendsToModels: ['jobs'],
  },
  'accept-jobs': {
    settings: [
      'stage',
      'metricsNamespace',
      'jobsTable',
      'payloadBucket',
      'modelQueues',
      'embeddingModels',
      'deadLettersQueue',
      'jobsQueue',
      'replyQueues',
      'inputBuckets',
      'retentionDays',
      'maxReceiveCount',
    ],
    records: ['GetItem', 'PutItem'],
    objects: { jobs: ['PutObject'] },
    sends: ['dead-letters'],
    sendsToModels: ['jobs'],
  },
  'run-jobs': {
    settings: [
      'stage',
      'metricsNamespace',
      'jobsTable',
      'payloadBucket',
      'modelQueues',
      'batchesQueue',
      'webhooksQueue',
      'deadLettersQueue',
      'eventBus',
      'replyQueues',
      'maxReceiveCount',
    ],
    records: RECORDS,
    objects: { jobs: ['GetObject', 'PutObject'], files: ['GetObject'], chunks: ['PutObject'] },
    listsObjects: true,
    readsInputBuckets: true,
    sends: ['batches', 'dead-letters'],
    sendsToModels: ['jobs', 'chunks'],
    notifies: true,
  },
  'fail-lost-jobs': {
    settings: [
      'stage',
      'metricsNamespace',
      'jobsTable',
      'payloadBucket',
      'modelQueues',
      'batchesQueue',
      'webhooksQueue',
      'deadLettersQueue',
      'eventBus',
      'replyQueues',
    ],
    records: RECORDS,
    objects: { jobs: ['GetObject'] },
    sends: ['batches', 'dead-letters'],
    namesModels: ['jobs', 'chunks'],
    notifies: true,
  },
  'process-batches': {
    settings: [
      'stage',
      'metricsNamespace',
      'jobsTable',
      'payloadBucket',
      'modelQueues',
      'embeddingModels',
      'batchesQueue',
      'webhooksQueue',
      'eventBus',
      'replyQueues',
      'retentionDays',
      'maxReceiveCount',
    ],
    records: [...RECORDS, 'BatchGetItem'],
    objects: {
      files: ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'],
      chunks: ['GetObject', 'PutObject', 'DeleteObject'],
    },
    listsObjects: true,
    // Of batches only webhooks are told.
    sends: ['batches', 'webhooks'],
    sendsToModels: ['chunks'],
  },
  'deliver-webhooks': {
    settings: ['stage', 'metricsNamespace', 'jobsTable', 'webhooksTable', 'webhooksQueue', 'retentionDays'],
    records: ['GetItem', 'PutItem'],
    webhooks: RECORDS,
    objects: {},
    sends: ['webhooks'],
  },
  'serve-jobs': {
    settings: [
      'stage',
      'metricsNamespace',
      'jobsTable',
      'webhooksTable',
      'payloadBucket',
      'modelQueues',
      'embeddingModels',
      'webhooksQueue',
      'eventBus',
      'replyQueues',
      'inputBuckets',
      'retentionDays',
    ],
    records: [...RECORDS, 'BatchGetItem'],
    lists: true,
    webhooks: RECORDS,
    objects: { jobs: ['GetObject', 'PutObject'] },
    sends: ['webhooks'],
    sendsToModels: ['jobs'],
    notifies: true,
  },
  'serve-batches': {
    settings: [
      'stage',
      'jobsTable',
      'payloadBucket',
      'batchesQueue',
      'modelQueues',
      'embeddingModels',
      'retentionDays',
      'maxFileBytes',
    ],
    records: [...RECORDS, 'BatchGetItem'],
    lists: true,
    objects: {
      files: ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'],
      chunks: ['GetObject', 'PutObject', 'DeleteObject'],
    },
    listsObjects: true,
    sends: ['batches'],
  },
};
