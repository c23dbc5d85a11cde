import type { Job, JobDefinition, JobKey } from '../../../core/jobs/job.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';

/** Set of the redrives that queued the job again: each does so once. */
export const REDRIVES = 'redrives';

/** Attributes of an item that are not members of the job. */
const BESIDE: ReadonlySet<string> = new Set([
  JOBS_TABLE.partitionKey,
  JOBS_TABLE.expiresAt,
  JOBS_TABLE.listKey,
  JOBS_TABLE.listSort,
  REDRIVES,
]);

/** The primary key of a job. */
export function jobItemKey(key: JobKey): Item {
  return { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.job(key) } };
}

/** All attributes of a job except its progress. */
export function definitionItem(definition: JobDefinition): Item {
  const { owner, id, hash, endpoint, model, version, createdAtMs, expiresAtMs } = definition;
  const { destinations, via, baseUrl, traceparent } = definition;
  return {
    ...jobItemKey(definition),
    ...toItem({
      [JOBS_TABLE.expiresAt]: Math.ceil(expiresAtMs / 1000),
      [JOBS_TABLE.listKey]: jobsTableKeys.listKey('job', owner),
      [JOBS_TABLE.listSort]: jobsTableKeys.listSort(createdAtMs, id),
      owner,
      id,
      hash,
      endpoint,
      model,
      version,
      createdAtMs,
      expiresAtMs,
      destinations,
      via,
      baseUrl,
      traceparent,
    }),
  };
}

/** The item of a job that no worker has started. */
export function queuedItem(definition: JobDefinition): Item {
  return { ...definitionItem(definition), ...toItem({ status: 'queued', attempts: 0 }) };
}

/** Reads an item that this module wrote. Its members have the names of the job's. */
export function readJob(item: Item): Job {
  const members = Object.entries(fromItem(item)).filter(([name]) => !BESIDE.has(name));
  return Object.fromEntries(members) as Partial<Job> as Job;
}
