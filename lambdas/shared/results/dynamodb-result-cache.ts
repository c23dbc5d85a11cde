import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../core/clock.ts';
import type { CachedResult, ResultCache } from '../../../core/results/result-cache.ts';
import { RESULTS_TABLE } from '../../../core/results/results-table.ts';
import { withinBudget } from '../resilience/time-budget.ts';

/** Most keys of one BatchGetItem, and most writes of one BatchWriteItem (DynamoDB API reference). */
const KEYS_PER_READ = 100;
const ITEMS_PER_WRITE = 25;

/** DynamoDB refuses items over 400 KB; what is larger than this stays in memory only. */
const MAX_VALUE_BYTES = 390 * 1024;

type Item = Record<string, AttributeValue>;

/** Settings of an {@link openDynamoDbResultCache}. */
export interface DynamoDbResultCacheOptions {
  /** Name of the table. */
  readonly table: string;
  /** Time to live, counted from when a result was computed. */
  readonly ttlSeconds: number;
  /** Time that the first use may take, whichever it is: it makes the connection. */
  readonly connectBudgetMs: number;
  /** Time that a look-up may take, retries of unprocessed keys included. */
  readonly readBudgetMs: number;
  /** Time that a write may take, retries of unprocessed items included. */
  readonly writeBudgetMs: number;
  readonly clock: Clock;
  /** Where the table is, and who asks; by default what the SDK finds in the environment. */
  readonly client?: DynamoDBClientConfig;
}

/**
 * Opens a results cache on a DynamoDB table, whose attributes {@link RESULTS_TABLE} names.
 *
 * Its methods throw when the table fails or does not answer in time; a look-up of which a part was answered gives that
 * part. Nothing is retried but what DynamoDB left unprocessed: computing again is quicker than waiting.
 */
export function openDynamoDbResultCache(options: DynamoDbResultCacheOptions): ResultCache {
  const { clock } = options;
  let isFirstUse = true;
  const budget = (usualMs: number) => {
    const budgetMs = isFirstUse ? options.connectBudgetMs : usualMs;
    isFirstUse = false;
    return budgetMs;
  };
  const client = new DynamoDBClient({ maxAttempts: 1, ...options.client });
  return {
    get: async (fingerprints) => {
      const found = new Map<string, CachedResult>();
      const outcomes = await withinBudgetSettled(
        budget(options.readBudgetMs),
        chunks(fingerprints, KEYS_PER_READ),
        (keys, signal) => readChunk(client, options, keys, signal, (item) => keepFresh(found, item, clock)),
      );
      throwWhenNothingCame(outcomes, found.size);
      return found;
    },
    put: async (results) => {
      const writes = [...results]
        .filter(([, { value }]) => value.byteLength <= MAX_VALUE_BYTES)
        .map((entry) => writeRequest(entry, options.ttlSeconds));
      const outcomes = await withinBudgetSettled(
        budget(options.writeBudgetMs),
        chunks(writes, ITEMS_PER_WRITE),
        (chunk, signal) => writeChunk(client, options.table, chunk, signal),
      );
      throwWhenNothingCame(outcomes, 0);
    },
  };
}

/** Runs one request for each chunk, all at once; one that fails does not take the others with it. */
function withinBudgetSettled<T>(
  budgetMs: number,
  parts: readonly T[],
  work: (part: T, signal: AbortSignal) => Promise<void>,
): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(parts.map((part) => withinBudget(budgetMs, (signal) => work(part, signal))));
}

function throwWhenNothingCame(outcomes: readonly PromiseSettledResult<void>[], found: number): void {
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined && found === 0) throw failure.reason;
}

async function readChunk(
  client: DynamoDBClient,
  { table }: DynamoDbResultCacheOptions,
  fingerprints: readonly string[],
  signal: AbortSignal,
  onItem: (item: Item) => void,
): Promise<void> {
  let keys: Item[] = fingerprints.map((fingerprint) => ({ [RESULTS_TABLE.partitionKey]: { S: fingerprint } }));
  for (let attempt = 0; keys.length > 0; attempt++) {
    await backOff(attempt, signal);
    const command = new BatchGetItemCommand({ RequestItems: { [table]: { Keys: keys } } });
    const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal: signal });
    for (const item of Responses?.[table] ?? []) onItem(item);
    keys = UnprocessedKeys?.[table]?.Keys ?? [];
  }
}

async function writeChunk(
  client: DynamoDBClient,
  table: string,
  chunk: readonly WriteRequest[],
  signal: AbortSignal,
): Promise<void> {
  let writes = [...chunk];
  for (let attempt = 0; writes.length > 0; attempt++) {
    await backOff(attempt, signal);
    const command = new BatchWriteItemCommand({ RequestItems: { [table]: writes } });
    const { UnprocessedItems } = await client.send(command, { abortSignal: signal });
    writes = UnprocessedItems?.[table] ?? [];
  }
}

/** Waits before asking again for what DynamoDB left: 2, 4, 8 ms and so on, until the budget ends. */
async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  if (attempt === 0) return;
  await new Promise((resolve) => setTimeout(resolve, 2 ** attempt));
  signal.throwIfAborted();
}

/** TTL deletes late, days at times, so expired items are told apart here. */
function keepFresh(found: Map<string, CachedResult>, item: Item, clock: Clock): void {
  const fingerprint = item[RESULTS_TABLE.partitionKey]?.S;
  const value = item[RESULTS_TABLE.value]?.B;
  const createdAtMs = Number(item[RESULTS_TABLE.createdAt]?.N);
  const expiresAtMs = Number(item[RESULTS_TABLE.expiresAt]?.N) * 1000;
  if (fingerprint === undefined || value === undefined || !(clock.now() < expiresAtMs)) return;
  found.set(fingerprint, { value, createdAtMs });
}

function writeRequest([fingerprint, { value, createdAtMs }]: [string, CachedResult], ttlSeconds: number): WriteRequest {
  return {
    PutRequest: {
      Item: {
        [RESULTS_TABLE.partitionKey]: { S: fingerprint },
        [RESULTS_TABLE.value]: { B: value },
        [RESULTS_TABLE.createdAt]: { N: String(createdAtMs) },
        [RESULTS_TABLE.expiresAt]: { N: String(Math.floor(createdAtMs / 1000) + ttlSeconds) },
      },
    },
  };
}

function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}
