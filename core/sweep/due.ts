import { DUE_SHARDS, JOBS_TABLE, jobsTableKeys } from '../jobs/jobs-table.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/**
 * When a job is due for the first time, counted from its submission. Nearly every job is complete by then, and so never
 * read by a sweep.
 */
export const JOB_DUE_MS = HOUR_MS;

/** When a batch is due for the first time, counted from its creation. */
export const BATCH_DUE_MS = 10 * MINUTE_MS;

/** Kinds of items that a sweep looks at. They are the prefixes of the keys (see `jobsTableKeys`). */
export const DUE_KINDS = ['job', 'batch', 'file', 'upload'] as const;

/** One of {@link DUE_KINDS}. */
export type DueKind = (typeof DUE_KINDS)[number];

/** An item of the jobs table that is due. */
export interface DueRecord {
  readonly kind: DueKind;
  readonly owner: string;
  readonly id: string;
  /** When it was due, milliseconds since the Unix epoch. */
  readonly dueAtMs: number;
}

/** The observation of an item by a sweep. The same observation in a later sweep confirms it. */
export interface Observation {
  /** Time of the first look that saw it, milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The progress of the work. Any progress since makes the observation void. */
  readonly progress: string;
}

/**
 * Returns the attributes that put an item on the index of due items.
 *
 * @param key - Key of the item in the jobs table.
 * @param dueAtMs - When a sweep must look at it, milliseconds since the Unix epoch.
 */
export function dueAttributes(key: string, dueAtMs: number): Readonly<Record<'dueKey' | 'dueAtMs', string | number>> {
  return { [JOBS_TABLE.dueKey]: shardOf(key), [JOBS_TABLE.dueAtMs]: dueAtMs };
}

/** Attributes to remove from an item that needs no further look. */
export const DUE_ATTRIBUTES = [JOBS_TABLE.dueKey, JOBS_TABLE.dueAtMs, JOBS_TABLE.observation] as const;

/**
 * Reads the key of a due item.
 *
 * @returns Undefined for a key of another kind.
 */
export function parseDueRecord(key: string, dueAtMs: number): DueRecord | undefined {
  const [prefix, owner, id, ...rest] = key.split('/');
  const kind = DUE_KINDS.find((name) => name === prefix);
  if (kind === undefined || owner === undefined || id === undefined || rest.length > 0) return undefined;
  return { kind, owner, id, dueAtMs };
}

/** Returns the key of the item of a due record. */
export function dueRecordKey({ kind, owner, id }: Pick<DueRecord, 'kind' | 'owner' | 'id'>): string {
  return kind === 'job' ? jobsTableKeys.job({ owner, id }) : jobsTableKeys[kind](owner, id);
}

/** Spreads keys over the shards by their characters. */
function shardOf(key: string): string {
  let sum = 0;
  for (let at = 0; at < key.length; at++) sum = (sum * 31 + key.charCodeAt(at)) % 65_521;
  return DUE_SHARDS[sum % DUE_SHARDS.length] ?? DUE_SHARDS[0];
}
