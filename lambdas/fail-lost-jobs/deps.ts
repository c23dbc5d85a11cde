import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../core/clock.ts';
import type { FAIL_LOST_JOBS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDynamoDbChunkStore } from '../shared/batches/dynamodb-chunk-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../shared/jobs/s3-payload-store.ts';
import { openNotifier } from '../shared/notifications/notifier.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { openSqsMessageQueue } from '../shared/queue/sqs-message-queue.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import type { FailLostJobsDeps } from './handler.ts';

/** Opens what the function works with. */
export function openDeps(settings: SettingsOf<typeof FAIL_LOST_JOBS.settings>): FailLostJobsDeps {
  const clock: Clock = { now: () => Date.now() };
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  const payloads = openS3PayloadStore({
    client: new S3Client(PAYLOAD_CLIENT_SETTINGS),
    bucket: settings.payloadBucket,
  });
  return {
    jobs: openDynamoDbJobStore(table),
    chunks: openDynamoDbChunkStore(table),
    notifier: openNotifier({ settings, dynamoDb, sqs, payloads, clock, eventBridge: openEventBridge }),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    batchSteps: openSqsMessageQueue({ client: sqs, url: settings.batchesQueue }),
    modelQueues: settings.modelQueues,
    log: jobsLog({
      stage: settings.stage,
      namespace: settings.metricsNamespace,
      now: () => clock.now(),
      write: (line) => process.stdout.write(`${line}\n`),
    }),
  };
}

/** Few jobs tell the event bus: its client is loaded for them. */
async function openEventBridge() {
  const { EventBridgeClient } = await import('@aws-sdk/client-eventbridge');
  return new EventBridgeClient(CLIENT_SETTINGS);
}
