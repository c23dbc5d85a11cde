import { DynamoDBClient, type DynamoDBClientConfig, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { isExpired, type JobStatus } from '../core/jobs/job.ts';
import { JOBS_TABLE, jobsTableKeys } from '../core/jobs/jobs-table.ts';
import type { FindJob } from './redrive-dead-letters.ts';

/** The jobs table, for commands that read the state of jobs. */
export interface JobStates {
  readonly find: FindJob;
  close(): void;
}

/** Attributes that decide about a redrive. */
const NAMES = { '#hash': 'hash', '#status': 'status', '#notifiedAtMs': 'notifiedAtMs', '#expiresAtMs': 'expiresAtMs' };

/**
 * Opens the jobs table of a deployment.
 *
 * @param table - Name of the table.
 */
export function openJobStates(table: string, config: DynamoDBClientConfig): JobStates {
  const client = new DynamoDBClient(config);
  return {
    find: async (key) => {
      const command = new GetItemCommand({
        TableName: table,
        Key: { [JOBS_TABLE.partitionKey]: { S: jobsTableKeys.job(key) } },
        ConsistentRead: true,
        ProjectionExpression: Object.keys(NAMES).join(', '),
        ExpressionAttributeNames: NAMES,
      });
      const { Item: item } = await client.send(command);
      if (item === undefined) return undefined;
      const { hash, status, notifiedAtMs, expiresAtMs } = item;
      // The functions write these values.
      const known = status?.S as JobStatus | undefined;
      if (known !== undefined && isExpired({ status: known, expiresAtMs: Number(expiresAtMs?.N) }, Date.now())) return;
      return {
        hash: hash?.S ?? '',
        ...(known === undefined ? {} : { status: known }),
        ...(notifiedAtMs?.N === undefined ? {} : { notifiedAtMs: Number(notifiedAtMs.N) }),
      };
    },
    close: () => client.destroy(),
  };
}
