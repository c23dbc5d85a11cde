import { JOBS_TABLE, jobsTableKeys } from '../jobs/jobs-table.ts';
import { MESSAGE_DAYS } from './retention.ts';

const DAY_MS = 86_400_000;

/**
 * Days that a tombstone is kept. A message of a deleted job may wait in its queue, then as a dead letter, and in its queue
 * again after a redrive.
 */
export const TOMBSTONE_DAYS = 3 * MESSAGE_DAYS + 1;

/** Hash of a tombstone: no job or batch has it, so no message of one changes a tombstone. */
const NO_HASH = 'deleted';

/** Kinds of records that leave a tombstone, because a message or a presigned URL may outlive them. */
const TOMBSTONE_KINDS = ['job', 'file', 'upload', 'batch'] as const;

/** One of the kinds of records that leave a tombstone. */
export type TombstoneKind = (typeof TOMBSTONE_KINDS)[number];

/** Whether records of this kind leave a tombstone. */
export function isTombstoneKind(kind: string): kind is TombstoneKind {
  return (TOMBSTONE_KINDS as readonly string[]).includes(kind);
}

/**
 * Returns the item that replaces a record that was deleted. It holds the id and the time, and nothing else of the record. It
 * is in no list.
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
    hash: NO_HASH,
    deletedAtMs: nowMs,
    expiresAtMs,
  };
}
