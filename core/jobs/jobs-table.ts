import type { JobKey } from './job.ts';

/**
 * Attribute names of the jobs table: one table for jobs, files, uploads, batches, chunks and subscriptions. The prefix of
 * the key shows the kind of an item.
 */
export const JOBS_TABLE = {
  /** Partition key, a string. */
  partitionKey: 'pk',
  /** Number: when DynamoDB may delete the item, seconds since the Unix epoch (the TTL attribute). */
  expiresAt: 'expiresAt',
  /** Index that lists the records of an owner, newest last. It contains only keys, `status` and `model`. */
  byOwnerIndex: 'byOwner',
  /** Partition key of the index: `job/<owner>`. Absent from items that are never listed. */
  listKey: 'listKey',
  /** Sort key of the index: creation time in milliseconds, 15 digits, a slash, the id. */
  listSort: 'listSort',
  /** Attributes that the index holds in addition to the keys. */
  listed: ['status', 'model'],
  /** Sparse index of the items that the function `sweep-records` must look at; holds keys only. */
  byDueIndex: 'byDue',
  /** Partition key of that index, one of {@link DUE_SHARDS}. Absent from items that need no further work. */
  dueKey: 'dueKey',
  /** Number, the sort key of that index: when the item is due, milliseconds since the Unix epoch. */
  dueAtMs: 'dueAtMs',
  /** The last observation of `sweep-records`; absent until then. */
  observation: 'observation',
} as const;

/** Partitions of the index of due items, so that no single partition takes every write. */
export const DUE_SHARDS = ['due/0', 'due/1', 'due/2', 'due/3'] as const;

/** Kinds of items that owners list. */
export type ListedKind = 'job' | 'file' | 'batch';

/** Keys of the items in the jobs table. Owners are tenants, whose ids hold no slash. */
export const jobsTableKeys = {
  job: ({ owner, id }: JobKey): string => `job/${owner}/${id}`,
  file: (owner: string, id: string): string => `file/${owner}/${id}`,
  upload: (owner: string, id: string): string => `upload/${owner}/${id}`,
  uploadPart: (uploadId: string, partId: string): string => `part/${uploadId}/${partId}`,
  batch: (owner: string, id: string): string => `batch/${owner}/${id}`,
  chunk: (batchId: string, index: number): string => `chunk/${batchId}/${index}`,
  chunkProgress: (batchId: string, index: number): string => `chunk/${batchId}/${index}/progress`,
  /** @param run - Key of a run on an asynchronous endpoint. */
  asyncRun: (run: string): string => `async-run/${run}`,
  /** The usage of a tenant: see `core/usage`. */
  usage: (owner: string): string => `usage/${owner}`,
  subscriptions: (owner: string): string => `subscriptions/${owner}`,
  listKey: (kind: ListedKind, owner: string): string => `${kind}/${owner}`,
  listSort: (createdAtMs: number, id: string): string => `${String(createdAtMs).padStart(15, '0')}/${id}`,
} as const;
