import { DAY_MS } from '../../../core/clock.ts';
import { DESTINATION_KINDS, type Job, type JobDefinition, type JobKey, queuedJob } from '../../../core/jobs/job.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { messageLifeDays } from '../../../core/retention/retention.ts';
import { DUE_ATTRIBUTES, dueAttributes, JOB_DUE_MS } from '../../../core/sweep/due.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';

/** Set of the redrives that queued the job again: each does so once. */
export const REDRIVES = 'redrives';

/** Set of the kinds of destinations that were notified. */
export const NOTIFIED = 'notified';

/** Name of the last claim: a repeated claim does not count as another attempt. */
export const CLAIM = 'claim';

/** When the last claim was made, milliseconds since the Unix epoch. */
export const CLAIMED_AT = 'claimedAtMs';

/** Attributes of an item that are not members of the job. */
const BESIDE: ReadonlySet<string> = new Set([
  JOBS_TABLE.partitionKey,
  JOBS_TABLE.expiresAt,
  JOBS_TABLE.listKey,
  JOBS_TABLE.listSort,
  ...DUE_ATTRIBUTES,
  REDRIVES,
  NOTIFIED,
  CLAIM,
  CLAIMED_AT,
]);

/** Returns the primary key of a job. */
export function jobItemKey(key: JobKey): Item {
  return { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.job(key) } };
}

/**
 * Returns the TTL attribute of a job that is not complete. Such a job does not expire: it is completed by a message, or found
 * without one. This is the time after which it can have no message.
 */
export function openJobExpiry(nowMs: number): number {
  return expirySeconds(nowMs + messageLifeDays() * DAY_MS);
}

/** Returns the TTL attribute of a record that may be deleted at a time in milliseconds. */
export function expirySeconds(expiresAtMs: number): number {
  return Math.ceil(expiresAtMs / 1000);
}

/** Returns all attributes of a job except its progress and its TTL. */
export function definitionItem(definition: JobDefinition): Item {
  const due = dueAttributes(jobsTableKeys.job(definition), definition.createdAtMs + JOB_DUE_MS);
  const { owner, id, hash, endpoint, model, version, createdAtMs, expiresAtMs } = definition;
  const { destinations, storesInput, plan, cacheControl, via, baseUrl, traceparent } = definition;
  return {
    ...jobItemKey(definition),
    ...toItem({
      [JOBS_TABLE.listKey]: jobsTableKeys.listKey('job', owner),
      [JOBS_TABLE.listSort]: jobsTableKeys.listSort(createdAtMs, id),
      ...due,
      owner,
      id,
      hash,
      endpoint,
      model,
      version,
      createdAtMs,
      expiresAtMs,
      destinations,
      storesInput,
      plan,
      cacheControl,
      via,
      baseUrl,
      traceparent,
    }),
  };
}

/** Returns the item of a job that no worker has started. */
export function queuedItem(definition: JobDefinition, nowMs: number): Item {
  const { status, attempts } = queuedJob(definition);
  return {
    ...definitionItem(definition),
    ...toItem({ status, attempts, [JOBS_TABLE.expiresAt]: openJobExpiry(nowMs) }),
  };
}

/** Returns when the job of an item was deleted, milliseconds since the Unix epoch; undefined if the item is not a tombstone. */
export function deletionOf(item: Item | undefined): number | undefined {
  const time = item?.['deletedAtMs']?.N;
  return time === undefined ? undefined : Number(time);
}

/** Reads an item that this module wrote. Its members have the names of the job's. */
export function readJob(item: Item): Job {
  const members = Object.entries(fromItem(item)).filter(([name]) => !BESIDE.has(name));
  const kinds = item[NOTIFIED]?.SS;
  const notified = kinds && { notified: DESTINATION_KINDS.filter((kind) => kinds.includes(kind)) };
  return { ...Object.fromEntries(members), ...notified } as Partial<Job> as Job;
}
