import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { ACCEPT_JOBS } from '../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, type SettingsOf } from '../../core/functions/settings.ts';
import { CLIENT_SETTINGS } from '../shared/aws/client-settings.ts';
import { openDeployedNames } from '../shared/aws/deployed-names.ts';
import { openDynamoDbFileStore } from '../shared/files/dynamodb-file-store.ts';
import { openDynamoDbJobStore } from '../shared/jobs/dynamodb-job-store.ts';
import { lazyPayloads } from '../shared/jobs/lazy-payloads.ts';
import { createSubmit } from '../shared/jobs/submit-job.ts';
import { openDeadLetters } from '../shared/queue/dead-letters.ts';
import { modelQueueOpener } from '../shared/queue/model-queues.ts';
import { openQueueDirectory } from '../shared/queue/queue-directory.ts';
import { openSqsWorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { systemClock } from '../shared/system-clock.ts';
import { jobsLog } from '../shared/telemetry/jobs-line.ts';
import { logTarget } from '../shared/telemetry/log-line.ts';
import { writeLine } from '../shared/telemetry/write-line.ts';
import type { AcceptJobsDeps } from './handler.ts';

/** Opens the dependencies of the function. */
export function openDeps(settings: SettingsOf<typeof ACCEPT_JOBS.settings>): AcceptJobsDeps {
  const clock = systemClock;
  const table = { client: new DynamoDBClient(CLIENT_SETTINGS), table: settings.jobsTable, clock };
  const sqs = new SQSClient(CLIENT_SETTINGS);
  const directory = openQueueDirectory(openDeployedNames({ clock }), settings.queuesPath);
  return {
    resolve: {
      settings,
      allowLoopback: process.env[ALLOW_LOOPBACK_VARIABLE] === '1',
      files: openDynamoDbFileStore(table),
    },
    grants: settings.producerGrants,
    submit: createSubmit({
      jobs: openDynamoDbJobStore(table),
      payloads: lazyPayloads(settings.payloadBucket),
      queueOf: modelQueueOpener({ client: sqs, modelIds: settings.modelIds, directory }),
      retentionDays: settings.retentionDays,
      clock,
    }),
    deadLetters: openDeadLetters(sqs, settings.deadLettersQueue),
    queue: openSqsWorkQueue(sqs, settings.jobsQueue),
    clock,
    random: Math.random,
    log: jobsLog(logTarget({ ...settings, write: writeLine }, clock)),
  };
}
