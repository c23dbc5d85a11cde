import { DAY_MS } from '../clock.ts';
import { JOBS_TABLE, jobsTableKeys } from '../jobs/jobs-table.ts';
import { dueAttributes } from '../sweep/due.ts';
import { messageLifeDays } from './retention.ts';

/** Days that a tombstone is kept: as long as a message of the deleted record can exist. */
export const TOMBSTONE_DAYS = messageLifeDays();

/**
 * When a sweep removes the objects of a deleted record again. A function that worked on it ends within 15 minutes, and a
 * presigned URL within an hour. A transfer that started right before that continues for another hour at most.
 */
export const SECOND_REMOVAL_MS = 2 * 3_600_000;

/** Hash of a tombstone: no job or batch has it, so no message of one changes a tombstone. */
export const TOMBSTONE_HASH = 'deleted';

/** Kinds of records that leave a tombstone, because a message or a presigned URL may outlive them. */
const TOMBSTONE_KINDS = ['job', 'file', 'upload', 'batch'] as const;

/** One of the kinds of records that leave a tombstone. */
export type TombstoneKind = (typeof TOMBSTONE_KINDS)[number];

/** Returns whether records of this kind leave a tombstone. */
export function isTombstoneKind(kind: string): kind is TombstoneKind {
  return (TOMBSTONE_KINDS as readonly string[]).includes(kind);
}

/**
 * Returns the item that replaces a record that was deleted. It holds the id and the time, and nothing else of the record. It
 * is in no list. A sweep looks at it immediately, in case that the deletion ended before the objects were removed.
 *
 * @param nowMs - Time of the deletion, milliseconds since the Unix epoch.
 */
export function tombstoneOf(
  kind: TombstoneKind,
  { owner, id }: { readonly owner: string; readonly id: string },
  nowMs: number,
): Readonly<Record<string, string | number>> {
  const expiresAtMs = nowMs + TOMBSTONE_DAYS * DAY_MS;
  const key = kind === 'job' ? jobsTableKeys.job({ owner, id }) : jobsTableKeys[kind](owner, id);
  return {
    [JOBS_TABLE.partitionKey]: key,
    [JOBS_TABLE.expiresAt]: Math.ceil(expiresAtMs / 1000),
    owner,
    id,
    hash: TOMBSTONE_HASH,
    deletedAtMs: nowMs,
    expiresAtMs,
    ...dueAttributes(key, nowMs),
  };
}
