import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { isExpired, type Job } from '../../../core/jobs/job.ts';
import type { JobPage, JobQuery } from '../../../core/jobs/job-store.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { decodeCursor, encodeCursor } from '../../../core/jobs/list-cursor.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { batchGet } from '../aws/batch-get.ts';
import { namesIn } from './job-changes.ts';
import { jobItemKey, readJob } from './job-item.ts';

/** The table to list, and the time. */
export interface ListPlace {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly nowMs: number;
}

/** Maximum queries for one page. Each scans thousands of jobs, so only a rare filter needs more than one. */
const MAX_QUERIES = 4;

const { partitionKey, listKey, listSort, byOwnerIndex } = JOBS_TABLE;

/** Attributes of a job on a page: all but the result, which may be large. */
const PROJECTION = [
  ...['owner', 'id', 'hash', 'endpoint', 'model', 'version', 'createdAtMs', 'expiresAtMs', 'destinations', 'baseUrl'],
  ...['traceparent', 'status', 'attempts', 'startedAtMs', 'endedAtMs', 'ranVersion', 'items', 'error', 'lastError'],
  'notified',
  'notifiedAtMs',
]
  .map((name) => `#${name}`)
  .join(', ');

/**
 * Lists jobs of one owner, newest first, by the table's index.
 *
 * @returns A page that may hold fewer jobs than its limit, even none, and have a next one: a filter that few jobs pass
 * does not make one request look through all of them.
 * @throws AppError `INVALID_PARAMETER` if `after` is not the cursor of an earlier page.
 */
export async function listJobs(query: JobQuery, place: ListPlace): Promise<JobPage> {
  const { keys, next } = await findKeys(query, place);
  const found = new Map((await readItems(keys, place)).map((item) => [item[partitionKey]?.S, readJob(item)]));
  const jobs = keys
    .flatMap((key) => found.get(key[partitionKey]?.S) ?? [])
    .filter((job) => isListed(job, query, place));
  return { jobs, next: next === undefined ? undefined : encodeCursor(next) };
}

/** The index is eventually consistent: the job may have changed since. */
function isListed(job: Job, { status, model }: JobQuery, { nowMs }: ListPlace): boolean {
  return (
    !isExpired(job, nowMs) &&
    (status === undefined || job.status === status) &&
    (model === undefined || job.model === model)
  );
}

/** Finds one job more than the page holds, which shows whether there is a next page. */
async function findKeys(query: JobQuery, place: ListPlace): Promise<{ keys: Item[]; next: string | undefined }> {
  const found: Item[] = [];
  let start = startKey(query);
  for (let queries = 0; queries < MAX_QUERIES; queries++) {
    const { Items: items = [], LastEvaluatedKey: last } = await queryIndex(query, start, place);
    found.push(...items);
    start = last;
    if (start === undefined || found.length > query.limit) break;
  }
  const keys = found.slice(0, query.limit).map(({ [partitionKey]: pk }) => ({ [partitionKey]: pk ?? { S: '' } }));
  const end = found.length > query.limit ? found[query.limit - 1] : start;
  return { keys, next: end?.[listSort]?.S };
}

function startKey({ owner, after }: JobQuery): Item | undefined {
  if (after === undefined) return undefined;
  const cursor = decodeCursor(after);
  return { ...jobItemKey({ owner, id: cursor.id }), ...toItem(indexKey(owner, cursor.listSort)) };
}

function indexKey(owner: string, sort: string) {
  return { [listKey]: jobsTableKeys.listKey('job', owner), [listSort]: sort };
}

function queryIndex({ owner, status, model, limit }: JobQuery, start: Item | undefined, place: ListPlace) {
  const filters = Object.entries({ status, model }).filter(([, value]) => value !== undefined);
  const filter = filters.map(([name]) => `#${name} = :${name}`).join(' AND ');
  const condition = `#${listKey} = :${listKey}`;
  return place.client.send(
    new QueryCommand({
      TableName: place.table,
      IndexName: byOwnerIndex,
      KeyConditionExpression: condition,
      ...(filter === '' ? { Limit: limit + 1 } : { FilterExpression: filter }),
      ExpressionAttributeNames: namesIn(condition, filter),
      ExpressionAttributeValues: toItem({
        [`:${listKey}`]: jobsTableKeys.listKey('job', owner),
        ...Object.fromEntries(filters.map(([name, value]) => [`:${name}`, value])),
      }),
      ScanIndexForward: false,
      ExclusiveStartKey: start,
    }),
  );
}

function readItems(keys: readonly Item[], { client, table }: ListPlace): Promise<Item[]> {
  return batchGet({ client, table, what: 'the jobs table' }, keys, {
    ProjectionExpression: `#${partitionKey}, ${PROJECTION}`,
    ExpressionAttributeNames: namesIn(PROJECTION, `#${partitionKey}`),
  });
}
