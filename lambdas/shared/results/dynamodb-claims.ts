import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { RESULTS_TABLE } from '../../../core/results/results-table.ts';
import type { DynamoDb, WireItem } from '../aws/dynamodb.ts';
import { withinBudget } from '../resilience/time-budget.ts';
import type { Claims } from './collapse.ts';

/** Settings of {@link openDynamoDbClaims}. */
export interface DynamoDbClaimsOptions {
  readonly dynamoDb: DynamoDb;
  /** Name of the results table. */
  readonly table: string;
  /** Time limit for one call, in milliseconds. */
  readonly budgetMs: number;
  readonly clock: Clock;
}

const { partitionKey, expiresAt, claimHolder, claimedUntil } = RESULTS_TABLE;

/**
 * Keeps claims in the results table, one item each. A conditional write makes a claim; its time or a conditional deletion
 * ends it.
 *
 * Its methods reject when the table fails or exceeds the time limit.
 */
export function openDynamoDbClaims({ dynamoDb, table, budgetMs, clock }: DynamoDbClaimsOptions): Claims {
  const holder = { S: randomUUID() };
  const keyOf = (key: string) => ({ [partitionKey]: { S: key } });
  const call = (operation: string, input: object) => withinBudget(budgetMs, () => dynamoDb.call(operation, input));
  return {
    claim: (key, untilMs) =>
      unlessRefused(
        call('PutItem', {
          TableName: table,
          Item: {
            ...keyOf(key),
            [claimHolder]: holder,
            [claimedUntil]: { N: String(untilMs) },
            [expiresAt]: { N: String(Math.ceil(untilMs / 1000)) },
          },
          ConditionExpression: `attribute_not_exists(${partitionKey}) OR ${claimedUntil} <= :now`,
          ExpressionAttributeValues: { ':now': { N: String(clock.now()) } },
        }),
      ),
    isHeld: async (key) => {
      const response = await call('BatchGetItem', {
        RequestItems: { [table]: { Keys: [keyOf(key)], ConsistentRead: true } },
      });
      const { Responses } = response as { readonly Responses?: Readonly<Record<string, readonly WireItem[]>> };
      return Number(Responses?.[table]?.[0]?.[claimedUntil]?.N ?? 0) > clock.now();
    },
    release: async (key) => {
      await unlessRefused(
        call('DeleteItem', {
          TableName: table,
          Key: keyOf(key),
          ConditionExpression: `${claimHolder} = :holder`,
          ExpressionAttributeValues: { ':holder': holder },
        }),
      );
    },
  };
}

/** @returns Whether the condition held. */
async function unlessRefused(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false;
    throw error;
  }
}
