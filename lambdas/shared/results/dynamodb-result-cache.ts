import { chunksOf } from '../../../core/chunks-of.ts';
import type { Clock } from '../../../core/clock.ts';
import type { CachedResult } from '../../../core/results/result-cache.ts';
import { RESULTS_TABLE } from '../../../core/results/results-table.ts';
import type { DynamoDb, WireItem } from '../aws/dynamodb.ts';
import { retryUnprocessed } from '../resilience/back-off.ts';
import { withinBudget } from '../resilience/time-budget.ts';
import type { ConnectedResultCache } from './results-cache.ts';

/** Maximum number of keys of one BatchGetItem, and of writes of one BatchWriteItem (DynamoDB API reference). */
const KEYS_PER_READ = 100;
const ITEMS_PER_WRITE = 25;

/** DynamoDB refuses items over 400 KB. A result that is larger than this stays in memory only. */
const MAX_VALUE_BYTES = 390 * 1024;

/** Key of no result: reading it makes the connection. */
const PROBE = 'connect';

/** Settings of {@link openDynamoDbResultCache}. */
export interface DynamoDbResultCacheOptions {
  readonly dynamoDb: DynamoDb;
  /** Name of the table. */
  readonly table: string;
  /** Time to live, counted from when a result was computed. */
  readonly ttlSeconds: number;
  /** Time limit for the connection, in milliseconds. */
  readonly connectBudgetMs: number;
  /** Time limit for a lookup, retries of unprocessed keys included, in milliseconds. */
  readonly readBudgetMs: number;
  /** Time limit for a write, retries of unprocessed items included, in milliseconds. */
  readonly writeBudgetMs: number;
  readonly clock: Clock;
}

/**
 * Opens a results cache on a DynamoDB table, whose attributes {@link RESULTS_TABLE} names.
 *
 * Its methods reject when the table fails or exceeds the time limit; a lookup with a partial response resolves with that
 * part. Only keys and items that DynamoDB left unprocessed are retried: computing a result again is quicker than waiting.
 */
export function openDynamoDbResultCache(options: DynamoDbResultCacheOptions): ConnectedResultCache {
  const { clock } = options;
  const read = async (budgetMs: number, fingerprints: readonly string[]) => {
    const found = new Map<string, CachedResult>();
    const outcomes = await inChunks(budgetMs, chunksOf(fingerprints, KEYS_PER_READ), (keys, signal) =>
      readChunk(options, keys, signal, (item) => keepFresh(found, item, clock)),
    );
    throwIfNothingCame(outcomes, found.size);
    return found;
  };
  return {
    connect: async () => {
      await read(options.connectBudgetMs, [PROBE]);
    },
    get: (fingerprints) => read(options.readBudgetMs, fingerprints),
    put: async (results) => {
      const writes = [...results]
        .filter(([, { value }]) => value.byteLength <= MAX_VALUE_BYTES)
        .map((entry) => writeRequest(entry, options.ttlSeconds));
      const outcomes = await inChunks(options.writeBudgetMs, chunksOf(writes, ITEMS_PER_WRITE), (chunk, signal) =>
        writeChunk(options, chunk, signal),
      );
      throwIfNothingCame(outcomes, 0);
    },
  };
}

/** Runs one request for each chunk, concurrently. A chunk that fails does not fail the others. */
function inChunks<T>(
  budgetMs: number,
  parts: readonly T[],
  work: (part: T, signal: AbortSignal) => Promise<void>,
): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(parts.map((part) => withinBudget(budgetMs, (signal) => work(part, signal))));
}

function throwIfNothingCame(outcomes: readonly PromiseSettledResult<void>[], found: number): void {
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined && found === 0) throw failure.reason;
}

/** Unprocessed keys and items are retried until the budget ends. */
const UNTIL_ABORTED = { maxAttempts: Number.POSITIVE_INFINITY, firstMs: 4, maxMs: 64 };

interface ReadResponse {
  readonly Responses?: Readonly<Record<string, readonly WireItem[]>>;
  readonly UnprocessedKeys?: Readonly<Record<string, { readonly Keys?: readonly WireItem[] }>>;
}

async function readChunk(
  { dynamoDb, table }: DynamoDbResultCacheOptions,
  fingerprints: readonly string[],
  signal: AbortSignal,
  onItem: (item: WireItem) => void,
): Promise<void> {
  const keys: WireItem[] = fingerprints.map((fingerprint) => ({ [RESULTS_TABLE.partitionKey]: { S: fingerprint } }));
  const read = async (rest: readonly WireItem[]) => {
    const response = await dynamoDb.call('BatchGetItem', { RequestItems: { [table]: { Keys: rest } } });
    signal.throwIfAborted();
    const { Responses, UnprocessedKeys } = response as ReadResponse;
    for (const item of Responses?.[table] ?? []) onItem(item);
    return UnprocessedKeys?.[table]?.Keys ?? [];
  };
  await retryUnprocessed(keys, read, { ...UNTIL_ABORTED, signal });
}

interface WriteRequest {
  readonly PutRequest: { readonly Item: WireItem };
}

interface WriteResponse {
  readonly UnprocessedItems?: Readonly<Record<string, readonly WriteRequest[]>>;
}

async function writeChunk(
  { dynamoDb, table }: DynamoDbResultCacheOptions,
  chunk: readonly WriteRequest[],
  signal: AbortSignal,
): Promise<void> {
  const write = async (rest: readonly WriteRequest[]) => {
    const response = await dynamoDb.call('BatchWriteItem', { RequestItems: { [table]: rest } });
    return (response as WriteResponse).UnprocessedItems?.[table] ?? [];
  };
  await retryUnprocessed(chunk, write, { ...UNTIL_ABORTED, signal });
}

/** DynamoDB deletes expired items late, sometimes by days. They are therefore recognized here. */
function keepFresh(found: Map<string, CachedResult>, item: WireItem, clock: Clock): void {
  const fingerprint = item[RESULTS_TABLE.partitionKey]?.S;
  const value = item[RESULTS_TABLE.value]?.B;
  const createdAtMs = Number(item[RESULTS_TABLE.createdAt]?.N);
  const expiresAtMs = Number(item[RESULTS_TABLE.expiresAt]?.N) * 1000;
  if (fingerprint === undefined || value === undefined || !(clock.now() < expiresAtMs)) return;
  found.set(fingerprint, { value: Buffer.from(value, 'base64'), createdAtMs });
}

function writeRequest([fingerprint, { value, createdAtMs }]: [string, CachedResult], ttlSeconds: number): WriteRequest {
  return {
    PutRequest: {
      Item: {
        [RESULTS_TABLE.partitionKey]: { S: fingerprint },
        [RESULTS_TABLE.value]: { B: base64Of(value) },
        [RESULTS_TABLE.createdAt]: { N: String(createdAtMs) },
        [RESULTS_TABLE.expiresAt]: { N: String(Math.floor(createdAtMs / 1000) + ttlSeconds) },
      },
    },
  };
}

function base64Of({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
