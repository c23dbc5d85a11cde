import { randomBytes } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { ChunkStore } from '../../../core/batches/batch-store.ts';
import type { Clock } from '../../../core/clock.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { SECRET_BYTES } from '../../../core/webhooks/signature.ts';
import { openDynamoDbChunkStore } from '../batches/dynamodb-chunk-store.ts';
import { openSqsMessageQueue } from '../queue/sqs-message-queue.ts';
import { openSubscriptionStore, type SubscriptionStore } from './subscription-store.ts';
import { openWebhookStore, type WebhookStore } from './webhook-store.ts';

/** Dependencies of requests about webhooks. */
export interface WebhooksDeps {
  readonly subscriptions: SubscriptionStore;
  readonly webhooks: WebhookStore;
  readonly jobs: Pick<JobStore, 'get'>;
  readonly batches: Pick<ChunkStore, 'getBatch'>;
  /** Queue of webhook deliveries. */
  readonly deliveries: MessageQueue;
  /** Whether webhooks may call this machine; in local mode only. */
  readonly allowLoopback: boolean;
  readonly clock: Clock;
  /** Returns random bytes. */
  readonly entropy: (bytes: number) => Uint8Array;
}

/** Dependencies of {@link openWebhooksDeps}. */
export interface OpenWebhooksOptions {
  readonly settings: Pick<FunctionSettings, 'jobsTable' | 'webhooksTable' | 'webhooksQueue' | 'retentionDays'>;
  readonly dynamoDb: DynamoDBClient;
  readonly sqs: SQSClient;
  readonly jobs: Pick<JobStore, 'get'>;
  readonly allowLoopback: boolean;
  readonly clock: Clock;
}

/** Opens the dependencies of requests about webhooks. */
export function openWebhooksDeps(options: OpenWebhooksOptions): WebhooksDeps {
  const { settings, dynamoDb, sqs, jobs, allowLoopback, clock } = options;
  return {
    subscriptions: openSubscriptionStore(dynamoDb, settings.jobsTable),
    webhooks: openWebhookStore({
      client: dynamoDb,
      table: settings.webhooksTable,
      retentionDays: settings.retentionDays,
      clock,
      secretBytes: () => randomBytes(SECRET_BYTES),
    }),
    jobs,
    batches: openDynamoDbChunkStore({ client: dynamoDb, table: settings.jobsTable, clock }),
    deliveries: openSqsMessageQueue({ client: sqs, url: settings.webhooksQueue }),
    allowLoopback,
    clock,
    entropy: randomBytes,
  };
}
