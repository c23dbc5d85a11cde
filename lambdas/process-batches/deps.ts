import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { PROCESS_BATCHES } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDeployedNames } from '../shared/aws/deployed-names.ts';
import { lazyEventBridge } from '../shared/aws/lazy-event-bridge.ts';
import { openDynamoDbBatchStore } from '../shared/batches/dynamodb-batch-store.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbUploadStore } from '../shared/files/dynamodb-upload-store.ts';
import { openS3FileObjects } from '../shared/files/s3-file-objects.ts';
import { openWasmMd5 } from '../shared/files/wasm-md5.ts';
import { openS3PayloadStore } from '../shared/jobs/s3-payload-store.ts';
import { openNotifier } from '../shared/notifications/notifier.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { openModelQueue } from '../shared/queue/model-queues.ts';
import { openQueueDirectory } from '../shared/queue/queue-directory.ts';
import { openSqsMessageQueue } from '../shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import { systemClock, systemTimer } from '../shared/system-clock.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { ProcessBatchesDeps } from './handler.ts';

/** Opens the dependencies of the function. */
export function openDeps(settings: SettingsOf<typeof PROCESS_BATCHES.settings>): ProcessBatchesDeps {
  const clock = systemClock;
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const directory = openQueueDirectory(openDeployedNames({ clock }), settings.queuesPath);
  const bucket = { client: new S3Client(PAYLOAD_CLIENT_SETTINGS), bucket: settings.payloadBucket };
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  return {
    settings,
    batches: openDynamoDbBatchStore(table),
    files: openDynamoDbFileStore(table),
    uploads: openDynamoDbUploadStore(table),
    objects: openS3FileObjects(bucket),
    openMd5: lazily(openWasmMd5),
    steps: openSqsMessageQueue({ client: sqs, url: settings.batchesQueue }),
    chunksOf: (model) => {
      if (!settings.modelIds.includes(model)) return undefined;
      return openModelQueue(model, 'chunks', { client: sqs, directory });
    },
    notifier: openNotifier({
      settings,
      directory,
      dynamoDb,
      sqs,
      clock,
      payloads: openS3PayloadStore(bucket),
      eventBridge: lazyEventBridge(),
    }),
    clock,
    queue: openSqsWorkQueue(sqs, settings.batchesQueue),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    random: Math.random,
    timer: systemTimer,
    stage: settings.stage,
    metricsNamespace: settings.metricsNamespace,
    metrics: settings.metrics,
    write: writeLine,
  };
}
