import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  ScanCommand,
  type ScanCommandOutput,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { chunksOf } from '../core/chunks-of.ts';
import { AppError } from '../core/errors.ts';
import { JOBS_TABLE } from '../core/jobs/jobs-table.ts';
import { PAYLOAD_PREFIXES } from '../core/jobs/payload-keys.ts';
import { cacheKeyPrefix } from '../core/results/cache-scope.ts';
import { RESULTS_TABLE } from '../core/results/results-table.ts';
import { isTombstoneKind, tombstoneOf } from '../core/retention/tombstone.ts';
import { WEBHOOKS_TABLE } from '../core/webhooks/webhooks-table.ts';

/** Names of the tables and of the bucket that hold data of tenants. */
export interface TenantStores {
  readonly jobs: string;
  readonly webhooks: string;
  /** Table of cached results. */
  readonly results: string;
  readonly payloads: string;
}

/** Settings of {@link eraseTenant}. */
export interface EraseOptions {
  readonly stores: TenantStores;
  /** Id of the tenant: the owner in its records. */
  readonly tenant: string;
  /** Counts only. */
  readonly dryRun: boolean;
  /** The time, milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** Number of items or objects of one kind. */
export interface ErasedKind {
  readonly store: keyof TenantStores;
  /** First part of the key: `job`, `file`, `secrets`, `results/`. */
  readonly kind: string;
  readonly count: number;
  /** Bytes of objects; absent for records. */
  readonly bytes?: number;
}

/** The data of a tenant that was removed, or that a dry run found. */
export interface Erasure {
  readonly erased: readonly ErasedKind[];
  /** Records of deleted jobs, files, uploads and batches that are kept until no message of them can exist. */
  readonly tombstones: number;
}

/** Clients of the services that hold data of tenants. */
export interface EraseClients {
  readonly dynamoDb: DynamoDBClient;
  readonly s3: S3Client;
}

/** Maximum items of a BatchWriteItem. */
const WRITES = 25;

/** Pauses before items that DynamoDB left unwritten are written again. */
const PAUSES_MS = [50, 200, 800, 2000, 5000] as const;

/** Kinds of items whose key names a batch or an upload of the tenant, and not the tenant. */
const PIECES: readonly string[] = ['chunk', 'part'];

/** Kinds of items whose second part is an id that no tenant has. */
const BY_ID: readonly string[] = [...PIECES, 'async-run'];

type Item = Record<string, AttributeValue>;

/**
 * Deletes everything that belongs to a tenant: records first, then objects, secrets, logs of deliveries and cached results. It
 * can be repeated, and a run that was interrupted is completed by the next one.
 *
 * Jobs, files, uploads and batches are replaced by tombstones, so that a message or a presigned URL of them does not create
 * them again. The sweep removes what a function wrote at the same time.
 *
 * @throws AppError `UNAVAILABLE` when DynamoDB or S3 leaves items.
 */
export async function eraseTenant(clients: EraseClients, options: EraseOptions): Promise<Erasure> {
  const { records, pieces, tombstones } = await eraseRecords(clients.dynamoDb, options);
  const parts = pieces.size === 0 ? [] : await erasePieces(clients.dynamoDb, pieces, options);
  const objects = await eraseObjects(clients.s3, options);
  const webhooks = await eraseItems(clients.dynamoDb, options, {
    store: 'webhooks',
    partitionKey: WEBHOOKS_TABLE.partitionKey,
    isErased: (key) => belongsTo(key, options.tenant),
  });
  // Results that several tenants share do not name any.
  const scope = cacheKeyPrefix('tenant', { tenant: options.tenant });
  const results = await eraseItems(clients.dynamoDb, options, {
    store: 'results',
    partitionKey: RESULTS_TABLE.partitionKey,
    isErased: (key) => key.startsWith(scope),
  });
  return { erased: [...records, ...parts, ...objects, ...webhooks, ...results], tombstones };
}

/** @returns The counts, and the ids of the tenant's batches and uploads. */
async function eraseRecords(client: DynamoDBClient, options: EraseOptions) {
  const { stores, tenant, dryRun, nowMs } = options;
  const counts = new Counts('jobs');
  const pieces = new Set<string>();
  let tombstones = 0;
  const filter = { contains: `/${tenant}`, names: [JOBS_TABLE.partitionKey, 'deletedAtMs'] };
  for await (const items of scan(client, stores.jobs, filter)) {
    const writes: WriteRequest[] = [];
    for (const item of items) {
      const key = item[JOBS_TABLE.partitionKey]?.S ?? '';
      if (!belongsTo(key, tenant)) continue;
      const [kind = '', , id = ''] = key.split('/');
      if (kind === 'batch' || kind === 'upload') pieces.add(id);
      if (item['deletedAtMs'] !== undefined) {
        tombstones++;
        continue;
      }
      counts.add(kind);
      const tombstone = isTombstoneKind(kind) ? tombstoneOf(kind, { owner: tenant, id }, nowMs) : undefined;
      if (tombstone !== undefined && !dryRun) tombstones++;
      writes.push(
        tombstone === undefined
          ? { DeleteRequest: { Key: { [JOBS_TABLE.partitionKey]: { S: key } } } }
          : { PutRequest: { Item: toItem(tombstone) } },
      );
    }
    if (!dryRun) await write(client, stores.jobs, writes);
  }
  return { records: counts.list(), pieces, tombstones };
}

/** Deletes the records of chunks and parts, which name the batch or upload that they belong to. */
function erasePieces(
  client: DynamoDBClient,
  ids: ReadonlySet<string>,
  options: EraseOptions,
): Promise<readonly ErasedKind[]> {
  return eraseItems(client, options, {
    store: 'jobs',
    partitionKey: JOBS_TABLE.partitionKey,
    isErased: (key) => {
      const [kind = '', id = ''] = key.split('/');
      return PIECES.includes(kind) && ids.has(id);
    },
  });
}

async function eraseItems(
  client: DynamoDBClient,
  { stores, dryRun }: EraseOptions,
  {
    store,
    partitionKey,
    isErased,
  }: {
    readonly store: Exclude<keyof TenantStores, 'payloads'>;
    readonly partitionKey: string;
    readonly isErased: (key: string) => boolean;
  },
): Promise<readonly ErasedKind[]> {
  const counts = new Counts(store);
  for await (const items of scan(client, stores[store], { names: [partitionKey] })) {
    const keys = items.map((item) => item[partitionKey]?.S ?? '').filter(isErased);
    for (const key of keys) counts.add(kindOf(key));
    const writes = keys.map((key) => ({ DeleteRequest: { Key: { [partitionKey]: { S: key } } } }));
    if (!dryRun) await write(client, stores[store], writes);
  }
  return counts.list();
}

/** Scans a table. Its keys do not sort by tenant, and the index of owners does not hold every kind of item. */
async function* scan(
  client: DynamoDBClient,
  table: string,
  { contains, names }: { readonly contains?: string; readonly names: readonly string[] },
): AsyncGenerator<Item[]> {
  let start: Item | undefined;
  do {
    const page: ScanCommandOutput = await client.send(
      new ScanCommand({
        TableName: table,
        ConsistentRead: true,
        ProjectionExpression: names.map((_, index) => `#n${index}`).join(', '),
        ExpressionAttributeNames: Object.fromEntries(names.map((name, index) => [`#n${index}`, name])),
        ...(contains === undefined
          ? {}
          : { FilterExpression: 'contains(#n0, :text)', ExpressionAttributeValues: { ':text': { S: contains } } }),
        ExclusiveStartKey: start,
      }),
    );
    yield page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}

async function write(client: DynamoDBClient, table: string, writes: readonly WriteRequest[]): Promise<void> {
  for (const batch of chunksOf(writes, WRITES)) {
    let left: WriteRequest[] = [...batch];
    for (const pauseMs of [0, ...PAUSES_MS]) {
      if (left.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const { UnprocessedItems: unprocessed } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: left } }),
      );
      left = unprocessed?.[table] ?? [];
    }
    if (left.length > 0) throw new AppError('UNAVAILABLE', `the table ${table} is throttled; run the command again`);
  }
}

async function eraseObjects(client: S3Client, options: EraseOptions): Promise<readonly ErasedKind[]> {
  const counts = new Counts('payloads');
  // Requests to asynchronous endpoints lie under a hash and not under their owner.
  const { invocations: _, ...prefixes } = PAYLOAD_PREFIXES;
  for (const prefix of Object.values(prefixes)) {
    await eraseUploads(client, prefix, options, counts);
    await erasePrefix(client, prefix, options, counts);
  }
  return counts.list();
}

async function erasePrefix(
  client: S3Client,
  prefix: string,
  { stores, tenant, dryRun }: EraseOptions,
  counts: Counts,
): Promise<void> {
  const bucket = { Bucket: stores.payloads };
  let token: string | undefined;
  do {
    const list = await client.send(
      new ListObjectsV2Command({ ...bucket, Prefix: `${prefix}${tenant}/`, ContinuationToken: token }),
    );
    const objects = list.Contents ?? [];
    for (const { Size: size = 0 } of objects) counts.add(prefix, size);
    token = list.NextContinuationToken;
    if (dryRun || objects.length === 0) continue;
    const { Errors: errors = [] } = await client.send(
      new DeleteObjectsCommand({
        ...bucket,
        Delete: { Objects: objects.map(({ Key: key }) => ({ Key: key })), Quiet: true },
      }),
    );
    if (errors.length > 0) {
      const message = `the bucket ${stores.payloads} kept ${errors.length} objects: ${errors[0]?.Code}; run the command again`;
      throw new AppError('UNAVAILABLE', message);
    }
  } while (token !== undefined);
}

/** Parts of multipart uploads that were not completed are in no list of objects. */
async function eraseUploads(
  client: S3Client,
  prefix: string,
  { stores, tenant, dryRun }: EraseOptions,
  counts: Counts,
): Promise<void> {
  const bucket = { Bucket: stores.payloads };
  let marker: Partial<Record<'KeyMarker' | 'UploadIdMarker', string | undefined>> | undefined = {};
  do {
    const list: ListMultipartUploadsCommandOutput = await client.send(
      new ListMultipartUploadsCommand({ ...bucket, Prefix: `${prefix}${tenant}/`, ...marker }),
    );
    for (const { Key: key, UploadId: uploadId } of list.Uploads ?? []) {
      counts.add('multipart uploads');
      if (!dryRun) await client.send(new AbortMultipartUploadCommand({ ...bucket, Key: key, UploadId: uploadId }));
    }
    marker =
      list.IsTruncated === true
        ? { KeyMarker: list.NextKeyMarker, UploadIdMarker: list.NextUploadIdMarker }
        : undefined;
  } while (marker !== undefined);
}

/** Returns whether a key is that of an item of the tenant: `<kind>/<tenant>`, and more parts. */
function belongsTo(key: string, tenant: string): boolean {
  const [kind = '', owner] = key.split('/');
  return owner === tenant && !BY_ID.includes(kind);
}

function kindOf(key: string): string {
  return key.split('/')[0] ?? '';
}

function toItem(members: Readonly<Record<string, string | number>>): Item {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [
      name,
      typeof value === 'number' ? { N: String(value) } : { S: value },
    ]),
  );
}

class Counts {
  readonly #store: keyof TenantStores;
  readonly #kinds = new Map<string, { count: number; bytes?: number }>();

  constructor(store: keyof TenantStores) {
    this.#store = store;
  }

  /** @param bytes - Size of an object. */
  add(kind: string, bytes?: number): void {
    const before = this.#kinds.get(kind) ?? { count: 0 };
    const count = before.count + 1;
    this.#kinds.set(kind, bytes === undefined ? { count } : { count, bytes: (before.bytes ?? 0) + bytes });
  }

  list(): ErasedKind[] {
    return [...this.#kinds].map(([kind, counted]) => ({ store: this.#store, kind, ...counted }));
  }
}
