import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../../core/clock.ts';
import { SUBMISSION_SETTINGS } from '../../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, readSettings } from '../../../core/functions/settings.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { API_CLIENT_SETTINGS, API_PAYLOAD_CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { openSqsMessageQueue } from '../queue/sqs-message-queue.ts';
import { openDynamoDbJobStore } from './dynamodb-job-store.ts';
import { lazyPayloads } from './lazy-payloads.ts';
import { createSubmit, type Submit } from './submit-job.ts';

/** Dependencies of a function that submits its own requests as jobs. */
export interface JobSubmitter {
  readonly submit: Submit;
  readonly jobs: Pick<JobStore, 'get' | 'getAll'>;
  readonly payloads: () => Promise<PayloadStore>;
  /** Whether webhooks may call this machine; in local mode only. */
  readonly allowLoopback: boolean;
}

/**
 * Opens the dependencies of submitting a job.
 *
 * @param variables - Environment variables of the function.
 * @throws AppError `CONFIG_INVALID` when a setting is missing.
 */
export function openSubmission(variables: Readonly<Record<string, string | undefined>>, clock: Clock): JobSubmitter {
  const { jobsTable, payloadBucket, ownJobsQueue, retentionDays } = readSettings(variables, SUBMISSION_SETTINGS);
  const jobs = openDynamoDbJobStore({ client: new DynamoDBClient(API_CLIENT_SETTINGS), table: jobsTable, clock });
  const payloads = lazyPayloads(payloadBucket, API_PAYLOAD_CLIENT_SETTINGS);
  const queue = openSqsMessageQueue({ client: new SQSClient(API_CLIENT_SETTINGS), url: ownJobsQueue });
  return {
    submit: createSubmit({ jobs, payloads, queueOf: () => queue, retentionDays, clock }),
    jobs,
    payloads,
    allowLoopback: variables[ALLOW_LOOPBACK_VARIABLE] === '1',
  };
}
