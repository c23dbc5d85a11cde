import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../../core/clock.ts';
import { SUBMISSION_SETTINGS } from '../../../core/functions/functions.ts';
import { ALLOW_LOOPBACK_VARIABLE, readSettings } from '../../../core/functions/settings.ts';
import type { JobStore } from '../../../core/jobs/job-store.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { CLIENT_SETTINGS, PAYLOAD_CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { modelQueueOpener } from '../queue/model-queues.ts';
import { openDynamoDbJobStore } from './dynamodb-job-store.ts';
import { createSubmit, type Submit } from './submit-job.ts';

/** What a function needs that hands its own requests over as jobs. */
export interface Submission {
  readonly submit: Submit;
  readonly jobs: Pick<JobStore, 'get'>;
  readonly payloads: () => Promise<PayloadStore>;
  /** Whether webhooks may go to this machine; in local mode only. */
  readonly allowLoopback: boolean;
}

/**
 * Opens what submitting a job takes.
 *
 * @param variables - Environment variables of the function.
 * @throws AppError `CONFIG_INVALID` when a setting is missing.
 */
export function openSubmission(variables: Readonly<Record<string, string | undefined>>, clock: Clock): Submission {
  const { jobsTable, payloadBucket, modelQueues, retentionDays } = readSettings(variables, SUBMISSION_SETTINGS);
  const jobs = openDynamoDbJobStore({ client: new DynamoDBClient(CLIENT_SETTINGS), table: jobsTable, clock });
  const payloads = () => openPayloads(payloadBucket);
  const queueOf = modelQueueOpener(new SQSClient(CLIENT_SETTINGS), modelQueues);
  return {
    submit: createSubmit({ jobs, payloads, queueOf, retentionDays, clock }),
    jobs,
    payloads,
    allowLoopback: variables[ALLOW_LOOPBACK_VARIABLE] === '1',
  };
}

/** Opens the payload bucket: most requests never need it, so its client is loaded by the first that does. */
async function openPayloads(bucket: string): Promise<PayloadStore> {
  const [{ S3Client }, { openS3PayloadStore }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('./s3-payload-store.ts'),
  ]);
  return openS3PayloadStore({ client: new S3Client(PAYLOAD_CLIENT_SETTINGS), bucket });
}
