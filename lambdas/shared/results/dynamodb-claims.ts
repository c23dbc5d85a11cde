import { randomUUID } from 'node:crypto';
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../core/clock.ts';
import { RESULTS_TABLE } from '../../../core/results/results-table.ts';
import { withinBudget } from '../resilience/time-budget.ts';
import type { Claims } from './collapse.ts';

/** Settings of {@link openDynamoDbClaims}. */
export interface DynamoDbClaimsOptions {
  /** Name of the results table. */
  readonly table: string;
  /** Time that one call may take, in milliseconds. */
  readonly budgetMs: number;
  readonly clock: Clock;
  /** Where the table is, and who asks; by default what the SDK finds in the environment. */
  readonly client?: DynamoDBClientConfig;
}

const { partitionKey, expiresAt, claimHolder, claimedUntil } = RESULTS_TABLE;

/**
 * Keeps claims in the results table, one item each: a conditional write makes one, its time or a conditional deletion
 * ends it.
 *
 * Its methods throw when the table fails or does not answer in time.
 */
export function openDynamoDbClaims({ table, budgetMs, clock, client: settings }: DynamoDbClaimsOptions): Claims {
  const client = new DynamoDBClient({ maxAttempts: 1, ...settings });
  const holder = randomUUID();
  const keyOf = (key: string) => ({ [partitionKey]: { S: key } });
  const common = (key: string) => ({ TableName: table, Key: keyOf(key) });
  return {
    claim: async (key, untilMs) => {
      const command = new PutItemCommand({
        TableName: table,
        Item: {
          ...keyOf(key),
          [claimHolder]: { S: holder },
          [claimedUntil]: { N: String(untilMs) },
          [expiresAt]: { N: String(Math.ceil(untilMs / 1000)) },
        },
        ConditionExpression: `attribute_not_exists(${partitionKey}) OR ${claimedUntil} <= :now`,
        ExpressionAttributeValues: { ':now': { N: String(clock.now()) } },
      });
      return unlessRefused(withinBudget(budgetMs, (abortSignal) => client.send(command, { abortSignal })));
    },
    isHeld: async (key) => {
      const command = new BatchGetItemCommand({
        RequestItems: { [table]: { Keys: [keyOf(key)], ConsistentRead: true } },
      });
      const { Responses } = await withinBudget(budgetMs, (abortSignal) => client.send(command, { abortSignal }));
      const until = Number(Responses?.[table]?.[0]?.[claimedUntil]?.N ?? 0);
      return until > clock.now();
    },
    release: async (key) => {
      const command = new DeleteItemCommand({
        ...common(key),
        ConditionExpression: `${claimHolder} = :holder`,
        ExpressionAttributeValues: { ':holder': { S: holder } },
      });
      await unlessRefused(withinBudget(budgetMs, (abortSignal) => client.send(command, { abortSignal })));
    },
  };
}

/** @returns Whether the condition held. */
async function unlessRefused(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
