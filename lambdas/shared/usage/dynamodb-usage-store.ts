import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { Usage, UsageStore } from '../../../core/usage/usage.ts';
import { fromItem, type Item, toItem } from '../aws/attribute-value.ts';
import { writeIf } from '../aws/conditional-write.ts';
import { readBatchItem } from '../batches/batch-item.ts';
import { listItems, readItems } from '../batches/batch-table.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from '../batches/dynamodb-chunk-store.ts';
import { readFileItem, readUploadItem } from '../files/file-item.ts';

/** Files are counted again at most this often, because their owner may have thousands. */
const RECOUNT_MS = 60_000;

/** Attempts at a recount that conflicts with other writes. */
const MAX_ATTEMPTS = 3;

/** Records that one query of the index returns. */
const PAGE = 100;

/**
 * Opens the usage of tenants in the jobs table, one item each, which `putCounted` adds to.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbUsageStore(options: DynamoDbStoreOptions): UsageStore {
  const { clock } = options;
  const read = async (owner: string) => usageOf(await readItem(options, jobsTableKeys.usage(owner)));
  return {
    read,
    recount: async (owner) => {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        const before = await readItem(options, jobsTableKeys.usage(owner));
        if (before === undefined) break;
        const { countedAtMs = 0 } = fromItem(before);
        const isDue = clock.now() - Number(countedAtMs) >= RECOUNT_MS;
        if (await replace(options, owner, before, isDue)) break;
      }
      return read(owner);
    },
  };
}

/** @returns Whether the usage was as read when it was replaced. */
async function replace(options: DynamoDbStoreOptions, owner: string, before: Item, isDue: boolean): Promise<boolean> {
  const { openBatches, openUploads } = usageOf(before);
  const nowMs = options.clock.now();
  const batches = await readItems(
    options,
    openBatches.map((id) => jobsTableKeys.batch(owner, id)),
  );
  const uploads = await readItems(
    options,
    openUploads.map((id) => jobsTableKeys.upload(owner, id)),
  );
  const runningBatches = [...batches.values()].map(readBatchItem).filter(({ endedAtMs }) => endedAtMs === undefined);
  const pendingUploads = [...uploads.values()]
    .map(readUploadItem)
    .filter(({ status, expiresAtMs }) => status === 'pending' && expiresAtMs > nowMs);
  const files = isDue ? await countFiles(options, owner) : undefined;
  const sets = {
    openBatches: minus(openBatches, runningBatches),
    openUploads: minus(openUploads, pendingUploads),
  };
  const uploadBytes = pendingUploads.reduce((sum, { bytes }) => sum + bytes, 0);
  return write(options, owner, before, {
    ended: sets,
    counted: files && { ...files, storedBytes: files.storedBytes + uploadBytes, countedAtMs: nowMs },
  });
}

interface Counted {
  readonly ended: Readonly<Record<'openBatches' | 'openUploads', readonly string[]>>;
  readonly counted: { readonly storedBytes: number; readonly files: number; readonly countedAtMs: number } | undefined;
}

async function write(
  { client, table }: DynamoDbStoreOptions,
  owner: string,
  before: Item,
  { ended, counted = undefined }: Counted,
): Promise<boolean> {
  const values: Item = toItem({ ':seen': fromItem(before)['changes'] });
  const names: Record<string, string> = { '#changes': 'changes' };
  const sets: string[] = [];
  for (const [name, value] of Object.entries(counted ?? {})) {
    names[`#${name}`] = name;
    Object.assign(values, toItem({ [`:${name}`]: value }));
    sets.push(`#${name} = :${name}`);
  }
  const deletes: string[] = [];
  for (const [name, ids] of Object.entries(ended)) {
    if (ids.length === 0) continue;
    names[`#${name}`] = name;
    values[`:${name}`] = { SS: [...ids] };
    deletes.push(`#${name} :${name}`);
  }
  if (sets.length === 0 && deletes.length === 0) return true;
  const expression = [clause('SET', sets), clause('DELETE', deletes)].filter((text) => text !== '').join(' ');
  const command = new UpdateItemCommand({
    TableName: table,
    Key: { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.usage(owner) } },
    UpdateExpression: expression,
    ConditionExpression: '#changes = :seen',
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  });
  const { isDone } = await writeIf(JOBS_TABLE_NAME, async () => {
    await client.send(command);
    return undefined;
  });
  return isDone;
}

/** A file that has failed has no bytes; one that is expected counts with its declared bytes. */
async function countFiles(options: DynamoDbStoreOptions, owner: string) {
  const total = { storedBytes: 0, files: 0 };
  for await (const item of listItems(options, { kind: 'file', owner, order: 'asc', pageSize: PAGE })) {
    const { expiresAtMs, deletedAtMs, status, bytes } = readFileItem(item);
    if (deletedAtMs !== undefined || expiresAtMs <= options.clock.now()) continue;
    total.files += 1;
    if (status !== 'error') total.storedBytes += bytes;
  }
  return total;
}

function usageOf(item: Item | undefined): Usage {
  const { storedBytes = 0, files = 0, openBatches, openUploads } = item === undefined ? {} : fromItem(item);
  return {
    storedBytes: Number(storedBytes),
    files: Number(files),
    openBatches: idsOf(openBatches),
    openUploads: idsOf(openUploads),
  };
}

function idsOf(value: unknown): readonly string[] {
  return value instanceof Set ? [...value] : [];
}

function minus(ids: readonly string[], present: readonly { readonly id: string }[]): readonly string[] {
  const kept = new Set(present.map(({ id }) => id));
  return ids.filter((id) => !kept.has(id));
}

function clause(keyword: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `${keyword} ${parts.join(', ')}`;
}
