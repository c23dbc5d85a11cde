import { ConditionalCheckFailedException, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import type { OpenInvocations } from '../../../core/jobs/open-invocations.ts';
import type { Item } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';
import { keyAttributes } from '../batches/batch-item.ts';
import { type DynamoDbStoreOptions, JOBS_TABLE_NAME, readItem } from '../batches/dynamodb-chunk-store.ts';

/** How long a submission is remembered: longer than an endpoint can take, queueing included. */
const RETENTION_MS = 7 * 86_400_000;

/** Attributes of the item of a run. */
const SUBMISSION = 'submission';
/** A set of numbers. DynamoDB has no empty sets: without open numbers the attribute is absent. */
const OPEN = 'open';

/**
 * Opens the record of open invocations in the jobs table: one item for each run, whose numbers leave it atomically.
 *
 * @returns A record whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbOpenInvocations(options: DynamoDbStoreOptions): OpenInvocations {
  const { client, table, clock } = options;
  return {
    start: async ({ run, submission }, numbers) => {
      const item = {
        ...keyAttributes(jobsTableKeys.asyncRun(run), clock.now() + RETENTION_MS),
        [SUBMISSION]: { S: submission },
        [OPEN]: { NS: numbers.map(String) },
      };
      const command = new PutItemCommand({ TableName: table, Item: item });
      await callAws(JOBS_TABLE_NAME, () => client.send(command));
    },
    complete: async ({ run, submission }, numbers) => {
      const command = new UpdateItemCommand({
        TableName: table,
        Key: { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.asyncRun(run) } },
        UpdateExpression: 'DELETE #open :numbers',
        ConditionExpression: '#submission = :submission',
        ExpressionAttributeNames: { '#open': OPEN, '#submission': SUBMISSION },
        ExpressionAttributeValues: { ':numbers': { NS: numbers.map(String) }, ':submission': { S: submission } },
        ReturnValues: 'ALL_NEW',
      });
      return callAws(JOBS_TABLE_NAME, async () => {
        try {
          const { Attributes: item = {} } = await client.send(command);
          return openNumbers(item).length === 0;
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return false;
          throw error;
        }
      });
    },
    find: async ({ run, submission }) => {
      const item = await readItem(options, jobsTableKeys.asyncRun(run));
      return item?.[SUBMISSION]?.S === submission ? openNumbers(item) : undefined;
    },
  };
}

function openNumbers(item: Item): number[] {
  return (item[OPEN]?.NS ?? []).map(Number);
}
