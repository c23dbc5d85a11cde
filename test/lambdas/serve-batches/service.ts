import { randomBytes } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, type Message } from '@aws-sdk/client-sqs';
import OpenAI from 'openai';
import { createHandler, type ServeBatchesDeps } from '../../../lambdas/serve-batches/handler.ts';
import { openDynamoDbBatchStore } from '../../../lambdas/shared/batches/dynamodb-batch-store.ts';
import { openDynamoDbFileStore } from '../../../lambdas/shared/files/dynamodb-file-store.ts';
import { openDynamoDbUploadStore } from '../../../lambdas/shared/files/dynamodb-upload-store.ts';
import { openS3FileObjects } from '../../../lambdas/shared/files/s3-file-objects.ts';
import { openWasmMd5 } from '../../../lambdas/shared/files/wasm-md5.ts';
import { openS3PayloadStore } from '../../../lambdas/shared/jobs/s3-payload-store.ts';
import { forgetDeliveries } from '../../../lambdas/shared/notifications/forget-deliveries.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { openDynamoDbUsageStore } from '../../../lambdas/shared/usage/dynamodb-usage-store.ts';
import {
  JOBS,
  type MovableClock,
  movableClock,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  WEBHOOKS,
} from '../shared/jobs/job-servers.ts';
import { clientFor } from '../shared/results/dynamodb-server.ts';
import { type Gateway, startGateway } from './gateway.ts';

/** The function behind a gateway, with real servers behind it. */
export interface Service {
  readonly gateway: Gateway;
  readonly servers: QueuesAndBuckets;
  readonly clock: MovableClock;
  /** Dependencies of the function; tests may exchange parts of it. */
  readonly deps: ServeBatchesDeps;
  /** Lines that the function logged. */
  readonly log: Record<string, unknown>[];
  /** The unchanged client of OpenAI, with an API key of its own. */
  client(apiKey?: string): OpenAI;
  /** A request as it is. */
  send(method: string, path: string, init?: RequestInit): Promise<Response>;
  /** Takes the messages of steps that are visible. */
  steps(): Promise<Message[]>;
  /** How many messages of a queue are held back. */
  heldBack(queue?: string): Promise<number>;
  /** Serves with other parts. */
  start(changes: Partial<ServeBatchesDeps>): Promise<Gateway>;
  close(): Promise<void>;
}

/** Maximum bytes of a file here. */
export const MAX_FILE_BYTES = 40_000_000;

/** Starts everything, empty. */
export async function startService(): Promise<Service> {
  const [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  const url = await servers.createQueue('batches');
  const clock = movableClock();
  const log: Record<string, unknown>[] = [];
  const options = { client: tables.client, table: JOBS, clock };
  const settings = {
    ...clientFor(servers.url),
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  } as const;
  const s3 = new S3Client(settings);
  const storage = {
    objects: openS3FileObjects({ client: s3, bucket: PAYLOADS }),
    payloads: openS3PayloadStore({ client: s3, bucket: PAYLOADS }),
  };
  const steps = openSqsMessageQueue({ client: servers.sqs, url });
  const deps: ServeBatchesDeps = {
    settings: {
      fileRetentionDays: 30,
      maxFileBytes: MAX_FILE_BYTES,
      taskModels: { embedding: ['minilm'] },
      modelIds: ['minilm'],
    },
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    files: openDynamoDbFileStore(options),
    uploads: openDynamoDbUploadStore(options),
    batches: openDynamoDbBatchStore(options),
    usage: openDynamoDbUsageStore(options),
    forgetDeliveries: (owner, id, deletedAtMs) =>
      forgetDeliveries({ client: tables.client, table: WEBHOOKS }, owner, { object: 'batch', id }, deletedAtMs),
    storage: async () => storage,
    openMd5: openWasmMd5,
    steps: async () => steps,
    clock,
    entropy: randomBytes,
    timer: () => performance.now(),
    write: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
  };
  const gateway = await startGateway(createHandler(deps));
  const gateways = [gateway];
  return {
    gateway,
    servers,
    clock,
    deps,
    log,
    client: (apiKey = 'key-1') => clientOf(gateway, apiKey),
    send: (method, path, init = {}) => fetch(`${gateway.url}${path}`, { redirect: 'manual', ...init, method }),
    steps: () => servers.receive(url),
    heldBack: async (queue = 'batches') => {
      const name = 'ApproximateNumberOfMessagesDelayed' as const;
      const queueUrl = url.replace(/[^/]+$/, queue);
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [name] });
      const { Attributes: attributes } = await servers.sqs.send(command);
      return Number(attributes?.[name]);
    },
    start: async (changes) => {
      const another = await startGateway(createHandler({ ...deps, ...changes }));
      gateways.push(another);
      return another;
    },
    close: async () => {
      await Promise.all(gateways.map((one) => one.close()));
      s3.destroy();
      await Promise.all([tables.close(), servers.close()]);
    },
  };
}

/** Creates an unchanged client of OpenAI with the address of the gateway and the header from which it reads the key. */
export function clientOf({ url }: Gateway, apiKey = 'key-1'): OpenAI {
  return new OpenAI({
    apiKey: 'unused',
    baseURL: `${url}/v1`,
    defaultHeaders: { 'x-api-key': apiKey },
    maxRetries: 0,
  });
}

/** Lines of a batch file. */
export function linesOf(count: number): string {
  const line = (index: number) => ({
    custom_id: `line-${index}`,
    method: 'POST',
    url: '/v1/embeddings',
    body: { model: 'minilm', input: `text ${index}` },
  });
  return Array.from({ length: count }, (_, index) => `${JSON.stringify(line(index))}\n`).join('');
}
