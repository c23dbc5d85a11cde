import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../core/clock.ts';
import type { SERVE_JOBS } from '../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, type SettingsOf } from '../../core/functions/settings.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { lazily } from '../shared/resilience/lazily.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import type { ServeJobsDeps } from './handler.ts';

/** Opens what the function works with; each client but DynamoDB's when it is first needed. */
export function openDeps(settings: SettingsOf<typeof SERVE_JOBS.settings>): ServeJobsDeps {
  const clock: Clock = { now: () => Date.now() };
  const dynamoDb = new DynamoDBClient(CLIENT_SETTINGS);
  const table = { client: dynamoDb, table: settings.jobsTable, clock };
  const jobs = openDynamoDbJobStore(table);
  const sqs = lazily(openSqs);
  const payloads = lazily(() => openPayloads(settings.payloadBucket));
  const allowLoopback = process.env[ALLOW_LOOPBACK_VARIABLE] === '1';
  const write = (line: string) => process.stdout.write(`${line}\n`);
  return {
    jobs,
    payloads,
    resolve: { settings, allowLoopback, files: openDynamoDbFileStore(table) },
    submit: lazily(async () => {
      const [{ createSubmit }, { modelQueueOpener }] = await Promise.all([
        import('../shared/jobs/submit-job.ts'),
        import('../shared/queue/model-queues.ts'),
      ]);
      const queueOf = modelQueueOpener(await sqs(), settings.modelQueues);
      return createSubmit({ jobs, payloads, queueOf, retentionDays: settings.retentionDays, clock });
    }),
    notifier: lazily(async () => {
      const { openNotifier } = await import('../shared/notifications/notifier.ts');
      const clients = { dynamoDb, sqs: await sqs(), eventBridge: openEventBridge };
      return openNotifier({ settings, ...clients, payloads: await payloads(), clock });
    }),
    webhooks: lazily(async () => {
      const { openWebhooksDeps } = await import('../shared/notifications/open-webhooks.ts');
      return openWebhooksDeps({ settings, dynamoDb, sqs: await sqs(), jobs, allowLoopback, clock });
    }),
    clock,
    log: jobsLog({ stage: settings.stage, namespace: settings.metricsNamespace, now: () => clock.now(), write }),
    stage: settings.stage,
    timer: () => performance.now(),
    write,
  };
}

async function openSqs(): Promise<SQSClient> {
  const { SQSClient } = await import('@aws-sdk/client-sqs');
  return new SQSClient(CLIENT_SETTINGS);
}

async function openEventBridge() {
  const { EventBridgeClient } = await import('@aws-sdk/client-eventbridge');
  return new EventBridgeClient(CLIENT_SETTINGS);
}

async function openPayloads(bucket: string) {
  const [{ S3Client }, { openS3PayloadStore }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('../shared/jobs/s3-payload-store.ts'),
  ]);
  return openS3PayloadStore({ client: new S3Client(PAYLOAD_CLIENT_SETTINGS), bucket });
}
