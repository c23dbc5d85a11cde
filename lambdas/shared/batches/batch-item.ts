import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import { DAY_MS } from '../../../core/clock.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { messageLifeDays } from '../../../core/retention/retention.ts';
import { TOMBSTONE_HASH } from '../../../core/retention/tombstone.ts';
import { BATCH_DUE_MS, DUE_ATTRIBUTES, dueAttributes } from '../../../core/sweep/due.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';

/** Attribute of a file: the number of batches that read it and have not ended. */
export const READERS = 'readers';

/** Attribute of a file whose deletion has started. Such a file counts as deleted. */
export const DELETED_AT = 'deletedAtMs';

/** Attributes that an item has for the table, in addition to those of its record. */
const TABLE_ATTRIBUTES: readonly string[] = [
  JOBS_TABLE.partitionKey,
  JOBS_TABLE.expiresAt,
  JOBS_TABLE.listKey,
  JOBS_TABLE.listSort,
  ...DUE_ATTRIBUTES,
  READERS,
];

/** Attributes of every record in the jobs table that owners can list. */
interface ListedRecord {
  readonly owner: string;
  readonly id: string;
  readonly createdAtMs: number;
}

/** Returns the attributes by which the index lists a record. */
export function listAttributes(kind: 'file' | 'batch', { owner, id, createdAtMs }: ListedRecord): Item {
  return toItem({
    [JOBS_TABLE.listKey]: jobsTableKeys.listKey(kind, owner),
    [JOBS_TABLE.listSort]: jobsTableKeys.listSort(createdAtMs, id),
  });
}

/** Returns the attributes that name an item and say when DynamoDB may delete it. */
export function keyAttributes(key: string, expiresAtMs: number): Item {
  return toItem({ [JOBS_TABLE.partitionKey]: key, [JOBS_TABLE.expiresAt]: Math.ceil(expiresAtMs / 1000) });
}

/** Reads the members of a record, without the table's own attributes. */
export function recordOf(item: Item): Record<string, unknown> {
  return fromItem(Object.fromEntries(Object.entries(item).filter(([name]) => !TABLE_ATTRIBUTES.includes(name))));
}

/** The TTL of a batch that has not ended: no message of it exists any more by then. */
function openBatchExpiryMs({ createdAtMs }: Pick<BatchRecord, 'createdAtMs'>): number {
  return createdAtMs + messageLifeDays() * DAY_MS;
}

/** Writes a batch as an item. Counters are top-level attributes, so that updates can add to them. */
export function batchItem({ counts, ...batch }: BatchRecord): Item {
  const key = jobsTableKeys.batch(batch.owner, batch.id);
  return {
    ...keyAttributes(key, openBatchExpiryMs(batch)),
    ...toItem(dueAttributes(key, batch.createdAtMs + BATCH_DUE_MS)),
    ...listAttributes('batch', batch),
    ...toItem({ ...batch, ...counts }),
  };
}

/** Reads a batch that {@link batchItem} wrote. */
export function readBatchItem(item: Item): BatchRecord {
  const { completed, failed, ...batch } = recordOf(item);
  // Written by batchItem and by conditional updates of its members only.
  return { ...batch, counts: { completed, failed } } as BatchRecord;
}

/**
 * Returns when the record of a tombstone was deleted (see `tombstoneOf`), milliseconds since the Unix epoch; else undefined.
 */
export function tombstoneTime(item: Item | undefined): number | undefined {
  return item?.['hash']?.S === TOMBSTONE_HASH ? Number(item[DELETED_AT]?.N) : undefined;
}
