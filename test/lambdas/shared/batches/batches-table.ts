import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { BatchRecord } from '../../../../core/batches/batch-record.ts';
import { ASSEMBLY_START } from '../../../../core/files/assembly.ts';
import { isApiError } from '../../../../local/services/dynamodb/dynalite.ts';
import { DynamoDbEngine } from '../../../../local/services/dynamodb/dynamodb-engine.ts';
import { jobsTable } from '../jobs/job-servers.ts';
import { reply, startServer, type TestServer } from '../results/dynamodb-server.ts';

/** A DynamoDB with an empty jobs table. */
export interface JobsTable {
  readonly server: TestServer;
  readonly client: DynamoDBClient;
  close(): Promise<void>;
}

/** Starts a DynamoDB with an empty jobs table, made as the deployment makes it. */
export async function startJobsTable(): Promise<JobsTable> {
  const engine = new DynamoDbEngine({ now: () => 0 });
  await engine.call('CreateTable', jobsTable());
  const server = await startServer(async (operation, input, response) => {
    try {
      reply(response, 200, await engine.call(operation, input));
    } catch (error) {
      if (!isApiError(error)) throw error;
      reply(response, error.statusCode, error.body);
    }
  });
  const client = new DynamoDBClient(server.client);
  return {
    server,
    client,
    close: async () => {
      client.destroy();
      await server.close();
    },
  };
}

/** Creates the record of a batch that is being split. */
export function batchOf(changes: Partial<BatchRecord> = {}): BatchRecord {
  return {
    owner: 'key-1',
    id: 'batch_1',
    hash: 'hash-1',
    status: 'in_progress',
    endpoint: '/v1/embeddings',
    model: 'minilm',
    inputFileId: 'file-1',
    inputBytes: 1000,
    metadata: { team: 'search' },
    createdAtMs: 1_000,
    windowEndsAtMs: 86_401_000,
    expiresAtMs: 1_000_000_000,
    errors: [],
    splitAt: 0,
    chunks: 0,
    lines: 0,
    requests: 0,
    splitDone: false,
    chunksDone: 0,
    counts: { completed: 0, failed: 0 },
    merge: { startedAtMs: 5, outcome: 'completed', output: ASSEMBLY_START, errors: ASSEMBLY_START },
    ...changes,
  };
}
