import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SERVE_BATCHES } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { API_CLIENT_SETTINGS, API_PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDynamoDbBatchStore } from '../shared/batches/dynamodb-batch-store.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbUploadStore } from '../shared/files/dynamodb-upload-store.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import { systemClock, systemTimer } from '../shared/system-clock.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import { openDynamoDbUsageStore } from '../shared/usage/dynamodb-usage-store.ts';
import type { Storage } from './call.ts';
import type { ServeBatchesDeps } from './handler.ts';

/** Opens the dependencies of the function. Every client but DynamoDB's is opened by the first request that needs it. */
export function openDeps(settings: SettingsOf<typeof SERVE_BATCHES.settings>): ServeBatchesDeps {
  const clock = systemClock;
  const options = { client: new DynamoDBClient(API_CLIENT_SETTINGS), table: settings.jobsTable, clock };
  return {
    settings,
    stage: settings.stage,
    metricsNamespace: settings.metricsNamespace,
    metrics: settings.metrics,
    files: openDynamoDbFileStore(options),
    uploads: openDynamoDbUploadStore(options),
    batches: openDynamoDbBatchStore(options),
    usage: openDynamoDbUsageStore(options),
    forgetDeliveries: async (owner, id, deletedAtMs) => {
      const { forgetDeliveries } = await import('../shared/notifications/forget-deliveries.ts');
      const webhooks = { client: options.client, table: settings.webhooksTable };
      await forgetDeliveries(webhooks, owner, { object: 'batch', id }, deletedAtMs);
    },
    storage: lazily(() => openStorage(settings.payloadBucket)),
    openMd5: lazily(openMd5),
    steps: lazily(() => openSteps(settings.batchesQueue)),
    clock,
    entropy: randomBytes,
    timer: systemTimer,
    write: writeLine,
  };
}

async function openStorage(bucket: string): Promise<Storage> {
  const [{ S3Client }, { openS3FileObjects }, { openS3PayloadStore }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('../shared/files/s3-file-objects.ts'),
    import('../shared/jobs/s3-payload-store.ts'),
  ]);
  // A presigned address with a checksum would hold that of no bytes.
  const client = new S3Client({ ...API_PAYLOAD_CLIENT_SETTINGS, requestChecksumCalculation: 'WHEN_REQUIRED' });
  return { objects: openS3FileObjects({ client, bucket }), payloads: openS3PayloadStore({ client, bucket }) };
}

async function openMd5() {
  const { openWasmMd5 } = await import('../shared/files/wasm-md5.ts');
  return openWasmMd5();
}

async function openSteps(url: string) {
  const [{ SQSClient }, { openSqsMessageQueue }] = await Promise.all([
    import('@aws-sdk/client-sqs'),
    import('../shared/queue/sqs-message-queue.ts'),
  ]);
  return openSqsMessageQueue({ client: new SQSClient(API_CLIENT_SETTINGS), url });
}
