import {
  type DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { AppError } from '../../../core/errors.ts';
import { backOff } from '../resilience/back-off.ts';
import { callAws } from './client-settings.ts';

/** Attempts at a transaction that collides with others. */
const MAX_ATTEMPTS = 12;

/** Pauses between two attempts. */
const PAUSES = { firstMs: 5, maxMs: 800 };

/**
 * Makes several writes, all or none. A transaction that collides with another one is tried again.
 *
 * @param what - Name of the table in messages.
 * @returns For each write whether its condition was met; undefined if all were, and the writes are made.
 * @throws AppError `UNAVAILABLE` if DynamoDB does not respond, or the collisions do not end.
 */
export async function writeTogether(
  what: string,
  client: DynamoDBClient,
  writes: readonly TransactWriteItem[],
): Promise<readonly boolean[] | undefined> {
  const command = new TransactWriteItemsCommand({ TransactItems: [...writes] });
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const reasons = await callAws(what, () => reasonsAgainst(() => client.send(command)));
    if (reasons === undefined) return undefined;
    if (reasons.includes('ConditionalCheckFailed')) return reasons.map((reason) => reason !== 'ConditionalCheckFailed');
    await backOff(attempt, PAUSES);
  }
  throw new AppError(
    'UNAVAILABLE',
    `too many requests change ${what} concurrently: gave up after ${MAX_ATTEMPTS} attempts`,
  );
}

/** @returns Why each step of a transaction did not happen; undefined when all did. */
async function reasonsAgainst(send: () => Promise<unknown>): Promise<(string | undefined)[] | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    return (error.CancellationReasons ?? []).map(({ Code: code }) => code);
  }
}
