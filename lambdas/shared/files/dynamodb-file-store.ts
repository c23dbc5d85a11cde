import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import type { FilePage, FileQuery, FileStore, RemovalStart, StoredFile } from '../../../core/files/file.ts';
import { timeOfId } from '../../../core/ids/time-ordered-id.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { dueAttributes } from '../../../core/sweep/due.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { writeIf } from '../aws/conditional-write.ts';
import { DELETED_AT, READERS } from '../batches/batch-item.ts';
import { deleteItem, listItems, updateItem } from '../batches/batch-table.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from '../batches/dynamodb-chunk-store.ts';
import { putCounted } from '../batches/put-counted.ts';
import { fileItem, readFileItem } from './file-item.ts';

/**
 * Opens the records of files in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbFileStore(options: DynamoDbStoreOptions): FileStore {
  const present = (item: Item | undefined): StoredFile | undefined => {
    const file = item === undefined ? undefined : readFileItem(item);
    // TTL deletes late, days at times.
    const isPresent = file?.deletedAtMs === undefined && (file?.expiresAtMs ?? 0) > options.clock.now();
    return isPresent ? file : undefined;
  };
  return {
    get: async (owner, id) => present(await readItem(options, jobsTableKeys.file(owner, id))),
    create: async (file, { budgets, hasCountedBytes = false } = {}) => {
      const charge = { storedBytes: hasCountedBytes ? 0 : file.bytes, files: 1 };
      const present = await putCounted(options, { owner: file.owner, item: fileItem(file), charge, budgets });
      return present === undefined ? file : readFileItem(present);
    },
    settle: async (owner, id, status, statusDetails) => {
      await updateItem(options, jobsTableKeys.file(owner, id), {
        set: { status, statusDetails },
        remove: ['uploadExpiresAtMs'],
        expectOneOf: { status: ['pending', 'uploaded'] },
      });
    },
    startRemoval: (owner, id) => startRemoval(options, jobsTableKeys.file(owner, id)),
    remove: (owner, id) => deleteItem(options, jobsTableKeys.file(owner, id)),
    list: (query) => listFiles(options, query, present),
  };
}

async function startRemoval(options: DynamoDbStoreOptions, key: string): Promise<RemovalStart> {
  const nowMs = options.clock.now();
  const command = new UpdateItemCommand({
    TableName: options.table,
    Key: { [JOBS_TABLE.partitionKey]: { S: key } },
    UpdateExpression: 'SET #deletedAt = if_not_exists(#deletedAt, :now), #dueKey = :dueKey, #dueAtMs = :now',
    ConditionExpression: 'attribute_exists(#pk) AND (attribute_not_exists(#readers) OR #readers <= :none)',
    ExpressionAttributeNames: {
      '#pk': JOBS_TABLE.partitionKey,
      '#readers': READERS,
      '#deletedAt': DELETED_AT,
      '#dueKey': JOBS_TABLE.dueKey,
      '#dueAtMs': JOBS_TABLE.dueAtMs,
    },
    ExpressionAttributeValues: toItem({ ':now': nowMs, ':none': 0, ':dueKey': dueAttributes(key, nowMs).dueKey }),
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  const { isDone, item } = await writeIf(JOBS_TABLE_NAME, async () => (await options.client.send(command)).Attributes);
  if (item === undefined) return { kind: 'absent' };
  return isDone ? { kind: 'started', file: readFileItem(item) } : { kind: 'read' };
}

async function listFiles(
  options: DynamoDbStoreOptions,
  { owner, purpose, order, limit, after }: FileQuery,
  present: (item: Item) => StoredFile | undefined,
): Promise<FilePage> {
  const start = after === undefined ? undefined : startOf(owner, after);
  const files: StoredFile[] = [];
  for await (const item of listItems(options, { kind: 'file', owner, order, pageSize: limit + 1, start })) {
    const file = present(item);
    if (file === undefined || (purpose !== undefined && file.purpose !== purpose)) continue;
    if (files.length === limit) return { files, hasMore: true };
    files.push(file);
  }
  return { files, hasMore: false };
}

/** Ids hold the time of creation, so a page can start after a file that has been deleted since. */
function startOf(owner: string, after: string) {
  const createdAtMs = after.startsWith('file-') ? timeOfId(after.slice('file-'.length)) : undefined;
  if (createdAtMs === undefined) {
    throw new AppError('INVALID_PARAMETER', 'after must be the id of a file', { param: 'after' });
  }
  return { key: jobsTableKeys.file(owner, after), listSort: jobsTableKeys.listSort(createdAtMs, after) };
}
