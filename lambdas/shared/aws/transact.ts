import {
  type DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { backOff } from '../resilience/back-off.ts';
import { callAws } from './client-settings.ts';

/** Attempts at a transaction that collides with others: all workers of a batch count their chunks on its record. */
const MAX_ATTEMPTS = 12;

/** Reasons of DynamoDB against a write that it refuses every time. */
const INVALID_WRITES: ReadonlySet<string> = new Set(['ValidationError', 'ItemCollectionSizeLimitExceeded']);

/** Pauses between two attempts. */
const PAUSES = { firstMs: 5, maxMs: 800 };

/**
 * Writes several items of the jobs table, or none.
 *
 * @returns The positions of the writes whose conditions were not met; empty if all was written.
 * @throws AppError `UNAVAILABLE` if the table does not respond, or the transaction always collides with others; `INTERNAL`
 * if a write is invalid.
 */
export async function transact(client: DynamoDBClient, items: readonly TransactWriteItem[]): Promise<number[]> {
  const command = new TransactWriteItemsCommand({ TransactItems: [...items] });
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const reasons = await callAws('the jobs table', () => reasonsAgainst(() => client.send(command)));
    if (reasons === undefined) return [];
    const unmet = reasons.flatMap((reason, index) => (reason === 'ConditionalCheckFailed' ? [index] : []));
    if (unmet.length > 0) return unmet;
    const invalid = reasons.find((reason) => reason !== undefined && INVALID_WRITES.has(reason));
    if (invalid !== undefined) throw new AppError('INTERNAL', `the jobs table refused a write as invalid: ${invalid}`);
    await backOff(attempt, PAUSES);
  }
  throw new AppError(
    'UNAVAILABLE',
    `too many concurrent changes to the same records of the jobs table: gave up after ${MAX_ATTEMPTS} attempts`,
  );
}

/** @returns Why each write did not happen; undefined when all did. */
async function reasonsAgainst(send: () => Promise<unknown>): Promise<(string | undefined)[] | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    return (error.CancellationReasons ?? []).map(({ Code: code }) => code);
  }
}
