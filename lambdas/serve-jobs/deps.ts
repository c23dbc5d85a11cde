import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { FileObjects } from '../../core/files/file-objects.ts';
import type { SERVE_JOBS } from '../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, type SettingsOf } from '../../core/functions/settings.ts';
import { API_CLIENT_SETTINGS, API_PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { lazyEventBridge } from '../shared/aws/lazy-event-bridge.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { lazyPayloads } from '../shared/jobs/lazy-payloads.ts';
import type { QueueDirectory } from '../shared/queue/queue-directory.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import { systemClock, systemTimer } from '../shared/system-clock.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import { logTarget } from '../shared/telemetry/log-line.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { ServeJobsDeps } from './handler.ts';

/** Opens the dependencies of the function. Every client but DynamoDB's is opened by the first request that needs it. */
export function openDeps(settings: SettingsOf<typeof SERVE_JOBS.settings>): ServeJobsDeps {
  const clock = systemClock;
  const dynamoDb = new DynamoDBClient(API_CLIENT_SETTINGS);
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  const jobs = openDynamoDbJobStore(table);
  const sqs = lazily(openSqs);
  const directory = lazily(() => openDirectory(settings.queuesPath));
  const payloads = lazyPayloads(settings.payloadBucket, API_PAYLOAD_CLIENT_SETTINGS);
  const allowLoopback = process.env[ALLOW_LOOPBACK_VARIABLE] === '1';
  const { stage, metricsNamespace, metrics } = settings;
  const log = { stage, metricsNamespace, metrics, write: writeLine };
  return {
    jobs,
    payloads,
    objects: lazily(() => openObjects(settings.payloadBucket)),
    resolve: { settings, allowLoopback, files: openDynamoDbFileStore(table) },
    submit: lazily(async () => {
      const [{ createSubmit }, { modelQueueOpener }] = await Promise.all([
        import('../shared/jobs/submit-job.ts'),
        import('../shared/queue/model-queues.ts'),
      ]);
      const queueOf = modelQueueOpener({
        client: await sqs(),
        modelIds: settings.modelIds,
        directory: await directory(),
      });
      return createSubmit({ jobs, payloads, queueOf, retentionDays: settings.retentionDays, clock });
    }),
    notifier: lazily(async () => {
      const { openNotifier } = await import('../shared/notifications/notifier.ts');
      const clients = {
        directory: await directory(),
        dynamoDb,
        sqs: await sqs(),
        eventBridge: lazyEventBridge(API_CLIENT_SETTINGS),
      };
      return openNotifier({ settings, ...clients, payloads: await payloads(), clock });
    }),
    webhooks: lazily(async () => {
      const { openWebhooksDeps } = await import('../shared/notifications/open-webhooks.ts');
      return openWebhooksDeps({ settings, dynamoDb, sqs: await sqs(), jobs, allowLoopback, clock });
    }),
    clock,
    log: jobsLog(logTarget(log, clock)),
    ...log,
    timer: systemTimer,
  };
}

async function openSqs(): Promise<SQSClient> {
  const { SQSClient } = await import('@aws-sdk/client-sqs');
  return new SQSClient(API_CLIENT_SETTINGS);
}

async function openDirectory(path: string): Promise<QueueDirectory> {
  const [{ openDeployedNames }, { openQueueDirectory }] = await Promise.all([
    import('../shared/aws/deployed-names.ts'),
    import('../shared/queue/queue-directory.ts'),
  ]);
  return openQueueDirectory(openDeployedNames({ clock: systemClock }), path);
}

async function openObjects(bucket: string): Promise<FileObjects> {
  const [{ S3Client }, { openS3FileObjects }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('../shared/files/s3-file-objects.ts'),
  ]);
  return openS3FileObjects({ client: new S3Client(API_PAYLOAD_CLIENT_SETTINGS), bucket });
}
