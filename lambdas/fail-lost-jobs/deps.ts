import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { FAIL_LOST_JOBS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDeployedNames } from '../shared/aws/deployed-names.ts';
import { lazyEventBridge } from '../shared/aws/lazy-event-bridge.ts';
import { openDynamoDbChunkStore } from '../shared/batches/dynamodb-chunk-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../shared/jobs/s3-payload-store.ts';
import { openNotifier } from '../shared/notifications/notifier.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { openQueueDirectory } from '../shared/queue/queue-directory.ts';
import { openSqsMessageQueue } from '../shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { systemClock } from '../shared/system-clock.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import { logTarget } from '../shared/telemetry/log-line.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { FailLostJobsDeps } from './handler.ts';

/** Opens the dependencies of the function. */
export function openDeps(settings: SettingsOf<typeof FAIL_LOST_JOBS.settings>): FailLostJobsDeps {
  const clock = systemClock;
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const directory = openQueueDirectory(openDeployedNames({ clock }), settings.queuesPath);
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  const payloads = openS3PayloadStore({
    client: new S3Client(PAYLOAD_CLIENT_SETTINGS),
    bucket: settings.payloadBucket,
  });
  return {
    jobs: openDynamoDbJobStore(table),
    chunks: openDynamoDbChunkStore(table),
    notifier: openNotifier({ settings, directory, dynamoDb, sqs, payloads, clock, eventBridge: lazyEventBridge() }),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    queue: openSqsWorkQueue(sqs, settings.lostJobsQueue),
    random: Math.random,
    batchSteps: openSqsMessageQueue({ client: sqs, url: settings.batchesQueue }),
    lostJobsQueue: settings.lostJobsQueue,
    directory,
    log: jobsLog(logTarget({ ...settings, write: writeLine }, clock)),
  };
}
