import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { SWEEP_RECORDS } from '../../core/functions/functions.ts';
import type { SettingsOf } from '../../core/functions/settings.ts';
import { type DueRecord, dueRecordKey } from '../../core/sweep/due.ts';
import type { Sweeper } from '../../core/sweep/sweep.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDeployedNames } from '../shared/aws/deployed-names.ts';
import { lazyEventBridge } from '../shared/aws/lazy-event-bridge.ts';
import { tombstoneTime } from '../shared/batches/batch-item.ts';
import { openDynamoDbBatchStore } from '../shared/batches/dynamodb-batch-store.ts';
import { readItem } from '../shared/batches/dynamodb-chunk-store.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbUploadStore } from '../shared/files/dynamodb-upload-store.ts';
import { openS3FileObjects } from '../shared/files/s3-file-objects.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { openS3PayloadStore } from '../shared/jobs/s3-payload-store.ts';
import { openNotifier } from '../shared/notifications/notifier.ts';
import { openQueueDepths } from '../shared/queue/queue-depths.ts';
import { openQueueDirectory } from '../shared/queue/queue-directory.ts';
import { openSqsMessageQueue } from '../shared/queue/sqs-message-queue.ts';
import { openDynamoDbDueStore } from '../shared/sweep/dynamodb-due-store.ts';
import { systemClock } from '../shared/system-clock.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { SweepDeps } from './handler.ts';
import { sweepBatch } from './sweep-batch.ts';
import { sweepDeleted } from './sweep-deleted.ts';
import { sweepExpiredJob } from './sweep-expired-job.ts';
import { sweepFile } from './sweep-file.ts';
import { sweepJob } from './sweep-job.ts';
import { sweepUpload } from './sweep-upload.ts';

/** Opens the dependencies of the function. */
export function openDeps(settings: SettingsOf<typeof SWEEP_RECORDS.settings>): SweepDeps {
  const clock = systemClock;
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const directory = openQueueDirectory(openDeployedNames({ clock }), settings.queuesPath);
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  const bucket = { client: new S3Client(PAYLOAD_CLIENT_SETTINGS), bucket: settings.payloadBucket };
  const payloads = openS3PayloadStore(bucket);
  const objects = openS3FileObjects(bucket);
  const files = openDynamoDbFileStore(table);
  const uploads = openDynamoDbUploadStore(table);
  const due = openDynamoDbDueStore(table);
  const jobs = openDynamoDbJobStore(table);
  const batches = openDynamoDbBatchStore(table);
  const steps = openSqsMessageQueue({ client: sqs, url: settings.batchesQueue });
  const notifier = openNotifier({
    settings,
    directory,
    dynamoDb,
    sqs,
    payloads,
    clock,
    eventBridge: lazyEventBridge(),
  });
  const deletionOf = async (due: DueRecord) => tombstoneTime(await readItem(table, dueRecordKey(due)));
  const unlessDeleted = (sweeper: Sweeper) => sweepDeleted(sweeper, { deletionOf, objects, clock });
  return {
    due,
    openSweepers: () => {
      const depths = openQueueDepths(sqs);
      return {
        file: unlessDeleted((record) => sweepFile(record, { files, objects, clock })),
        upload: unlessDeleted((record) => sweepUpload(record, { uploads, files, objects, steps, clock })),
        batch: unlessDeleted((record) =>
          sweepBatch(record, { batches, steps, due, depths, settings, directory, clock }),
        ),
        job: unlessDeleted(
          sweepExpiredJob((record) => sweepJob(record, { jobs, notifier, due, depths, settings, directory, clock }), {
            jobs,
            objects,
            clock,
          }),
        ),
      };
    },
    clock,
    stage: settings.stage,
    metricsNamespace: settings.metricsNamespace,
    metrics: settings.metrics,
    write: writeLine,
  };
}
