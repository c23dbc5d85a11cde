import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import type { Clock } from '../../../../core/clock.ts';
import { JOBS_TABLE } from '../../../../core/jobs/jobs-table.ts';
import { WEBHOOKS_TABLE } from '../../../../core/webhooks/webhooks-table.ts';
import { isApiError } from '../../../../local/services/dynamodb/dynalite.ts';
import { DynamoDbEngine } from '../../../../local/services/dynamodb/dynamodb-engine.ts';
import { clientFor, reply, startServer, type TestServer } from '../results/dynamodb-server.ts';

/** Names of the tables that {@link startTables} holds. */
export const JOBS = 'jobs';
export const WEBHOOKS = 'webhooks';

/** Name of the bucket that {@link startQueuesAndBuckets} holds. */
export const PAYLOADS = 'payloads';

/** A clock that tests move. */
export interface MovableClock extends Clock {
  nowMs: number;
}

/** Creates a clock that stands still until a test moves it. */
export function movableClock(nowMs = 1_750_000_000_000): MovableClock {
  const clock = { nowMs, now: () => clock.nowMs };
  return clock;
}

/** DynamoDB with empty jobs and webhooks tables, as the deployment has them. */
export interface Tables {
  readonly server: TestServer;
  readonly client: DynamoDBClient;
  /** Calls the engine itself: `GetItem`. */
  readonly call: DynamoDbEngine['call'];
  close(): Promise<void>;
}

/** Starts DynamoDB on a port of its own. */
export async function startTables(): Promise<Tables> {
  const engine = new DynamoDbEngine({ now: () => Date.now() });
  await engine.call('CreateTable', jobsTable());
  await engine.call('CreateTable', webhooksTable());
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
    call: (operation, input) => engine.call(operation, input),
    close: async () => {
      client.destroy();
      await server.close();
      await engine.close();
    },
  };
}

/** Defines the jobs table as the deployment creates it. */
export function jobsTable() {
  const { partitionKey, listKey, listSort, byOwnerIndex, listed, dueKey, dueAtMs, byDueIndex } = JOBS_TABLE;
  return {
    TableName: JOBS,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      ...[partitionKey, listKey, listSort, dueKey].map((name) => ({ AttributeName: name, AttributeType: 'S' })),
      { AttributeName: dueAtMs, AttributeType: 'N' },
    ],
    KeySchema: [{ AttributeName: partitionKey, KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: byOwnerIndex,
        KeySchema: [
          { AttributeName: listKey, KeyType: 'HASH' },
          { AttributeName: listSort, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: [...listed] },
      },
      {
        IndexName: byDueIndex,
        KeySchema: [
          { AttributeName: dueKey, KeyType: 'HASH' },
          { AttributeName: dueAtMs, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  };
}

function webhooksTable() {
  return {
    TableName: WEBHOOKS,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: WEBHOOKS_TABLE.partitionKey, AttributeType: 'S' }],
    KeySchema: [{ AttributeName: WEBHOOKS_TABLE.partitionKey, KeyType: 'HASH' }],
  };
}

/** SQS and S3, on one port, and the parameters of AWS Systems Manager on another. */
export interface QueuesAndBuckets {
  readonly url: string;
  /** Values of parameters by name. */
  readonly parameters: Map<string, string>;
  readonly parametersUrl: string;
  readonly sqs: SQSClient;
  readonly s3: S3Client;
  /** Creates a queue and returns its URL. */
  createQueue(name: string, attributes?: Record<string, string>): Promise<string>;
  createBucket(name: string): Promise<void>;
  /** Takes up to ten messages that are visible. */
  receive(queueUrl: string): Promise<Message[]>;
  /** Deletes a message that was received. */
  remove(queueUrl: string, receiptHandle: string): Promise<void>;
  /** Text of an object in the payload bucket. */
  textOf(key: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Starts SQS and S3 with an empty payload bucket. */
export async function startQueuesAndBuckets(): Promise<QueuesAndBuckets> {
  const app = buildApp({ logger: false });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const sqs = new SQSClient(clientFor(url));
  const s3 = new S3Client({ ...clientFor(url), forcePathStyle: true });
  const createBucket = async (name: string) => {
    await s3.send(new CreateBucketCommand({ Bucket: name }));
  };
  await createBucket(PAYLOADS);
  const parameters = new Map<string, string>();
  const names = await startServer(async (_operation, input, response) => {
    const value = parameters.get(String(input['Name']));
    if (value === undefined) reply(response, 400, { __type: 'ParameterNotFound' });
    else reply(response, 200, { Parameter: { Value: value } });
  });
  return {
    url,
    parameters,
    parametersUrl: names.client.endpoint,
    sqs,
    s3,
    createBucket,
    createQueue: async (name, attributes = {}) => {
      await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
      // Its URL with the server's own address, which the queue's host name does not resolve to.
      return `${url}/000000000000/${name}`;
    },
    receive: async (queueUrl) => {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      );
      return messages;
    },
    remove: async (queueUrl, receiptHandle) => {
      await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle }));
    },
    textOf: async (key) => {
      const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: PAYLOADS, Key: key }));
      return body?.transformToString();
    },
    close: async () => {
      sqs.destroy();
      s3.destroy();
      await Promise.all([app.close(), names.close()]);
    },
  };
}
