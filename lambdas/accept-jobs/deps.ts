import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../core/clock.ts';
import type { ACCEPT_JOBS } from '../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, type SettingsOf } from '../../core/functions/settings.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { createSubmit } from '../shared/jobs/submit-job.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { modelQueueOpener } from '../shared/queue/model-queues.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import type { AcceptJobsDeps } from './handler.ts';

/** Opens what the function works with. */
export function openDeps(settings: SettingsOf<typeof ACCEPT_JOBS.settings>): AcceptJobsDeps {
  const clock: Clock = { now: () => Date.now() };
  const table = { client: new DynamoDBClient(CLIENT_SETTINGS), table: settings.jobsTable, clock };
  const sqs = new SQSClient(CLIENT_SETTINGS);
  let payloads: Promise<PayloadStore> | undefined;
  return {
    resolve: {
      settings,
      allowLoopback: process.env[ALLOW_LOOPBACK_VARIABLE] === '1',
      files: openDynamoDbFileStore(table),
    },
    submit: createSubmit({
      jobs: openDynamoDbJobStore(table),
      payloads: () => {
        payloads ??= openPayloads(settings.payloadBucket);
        return payloads;
      },
      queueOf: modelQueueOpener(sqs, settings.modelQueues),
      retentionDays: settings.retentionDays,
      clock,
    }),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    jobsQueue: settings.jobsQueue,
    maxReceiveCount: settings.maxReceiveCount,
    log: jobsLog({
      stage: settings.stage,
      namespace: settings.metricsNamespace,
      now: () => clock.now(),
      write: (line) => process.stdout.write(`${line}\n`),
    }),
  };
}

/** Few messages are so large that they need S3: its client is loaded for them. */
async function openPayloads(bucket: string): Promise<PayloadStore> {
  const [{ S3Client }, { openS3PayloadStore }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('../shared/jobs/s3-payload-store.ts'),
  ]);
  return openS3PayloadStore({ client: new S3Client(PAYLOAD_CLIENT_SETTINGS), bucket });
}
