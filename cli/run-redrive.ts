import { randomUUID } from 'node:crypto';
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { AppError } from '../core/errors.ts';
import type { JobStates } from './job-states.ts';
import { findInstance, LOCAL_CREDENTIALS } from './local-instance.ts';
import { type DeadLetterCount, redriveDeadLetters } from './redrive-dead-letters.ts';
import { renderTable } from './table.ts';

/** Options of the command as typed. */
export interface RedriveCommandOptions {
  readonly queueUrl?: string;
  /** Name of the jobs table. */
  readonly jobsTable?: string;
  /** Port of the API in local mode. */
  readonly port?: number;
  readonly code?: string;
  readonly limit?: number;
  readonly dryRun: boolean;
  readonly json?: boolean;
}

/** Where the dead letters are. */
interface Place {
  readonly queueUrl: string;
  /** Name of the jobs table; undefined if the operator named none. */
  readonly jobsTable: string | undefined;
  readonly config: SQSClientConfig & DynamoDBClientConfig;
}

/**
 * Runs `tensorgate jobs redrive`.
 *
 * @returns The messages that were found and redriven.
 * @throws AppError `INVALID_PARAMETER` when an option is malformed, `UNAVAILABLE` when local mode does not run.
 */
export async function runRedrive(options: RedriveCommandOptions): Promise<readonly DeadLetterCount[]> {
  const { queueUrl, jobsTable, config } =
    options.queueUrl === undefined ? await localPlace(options.port) : placeOf(options.queueUrl, options.jobsTable);
  const client = new SQSClient(config);
  const jobs = jobsTable === undefined ? undefined : await openJobs(jobsTable, config);
  try {
    return await redriveDeadLetters(client, {
      queueUrl,
      redriveId: randomUUID(),
      dryRun: options.dryRun,
      limit: options.limit ?? Number.POSITIVE_INFINITY,
      code: options.code,
      findJob: jobs?.find,
    });
  } catch (error) {
    throw toQueueError(error, queueUrl);
  } finally {
    client.destroy();
    jobs?.close();
  }
}

/** Only deployments whose table is known need the client of DynamoDB. */
async function openJobs(table: string, config: DynamoDBClientConfig): Promise<JobStates> {
  const { openJobStates } = await import('./job-states.ts');
  return openJobStates(table, config);
}

/** Every error of the SDK is about the queue or the table: absent, no response, or settings that are incomplete. */
function toQueueError(error: unknown, queueUrl: string): AppError {
  if (error instanceof AppError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const reason = message === '' ? Object(error).code : message;
  return new AppError('UNAVAILABLE', `the queue ${queueUrl} or the jobs table cannot be used: ${name}: ${reason}`, {
    cause: error,
  });
}

/** The region is in the URL of a queue on AWS; elsewhere the SDK's own settings say it. */
function placeOf(queueUrl: string, jobsTable: string | undefined): Place {
  if (!URL.canParse(queueUrl)) throw new AppError('INVALID_PARAMETER', `--queue-url must be a URL, got ${queueUrl}`);
  const region = /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\./.exec(queueUrl)?.[1];
  return { queueUrl, jobsTable, config: region === undefined ? {} : { region } };
}

async function localPlace(port: number | undefined): Promise<Place> {
  const instance = await findInstance(port, 'name a queue with --queue-url');
  const { queues, stores, url } = instance.description;
  const queueUrl = queues['dead-letters'];
  if (queueUrl === undefined) {
    throw new AppError('INVALID_PARAMETER', `--queue-url is needed: the app at ${url} names no dead-letter queue`);
  }
  const config = { endpoint: new URL(queueUrl).origin, ...LOCAL_CREDENTIALS };
  return { queueUrl, jobsTable: stores['jobs'], config };
}

/** Renders the counts as a table. */
export function renderCounts(
  counts: readonly DeadLetterCount[],
  { dryRun }: Pick<RedriveCommandOptions, 'dryRun'>,
): string {
  if (counts.length === 0) return 'no dead letters\n';
  const isChecked = counts.some(({ otherJob }) => otherJob !== undefined);
  const rows = counts.map(({ code, source, found, putBack, otherJob = 0, ended = 0, message }) => [
    code,
    source,
    String(found),
    dryRun ? '-' : String(putBack),
    ...(isChecked ? [String(otherJob + ended)] : []),
    message,
  ]);
  const head = ['code', 'queue', 'found', 'redriven', ...(isChecked ? ['no effect'] : []), 'last reason'];
  return `${renderTable(head, rows, isChecked ? [2, 3, 4] : [2, 3])}\n${renderLeft(counts)}`;
}

/** Explains why dead letters were left alone. */
function renderLeft(counts: readonly DeadLetterCount[]): string {
  const total = (member: 'otherJob' | 'ended') => counts.reduce((sum, count) => sum + (count[member] ?? 0), 0);
  const lines = [
    [total('otherJob'), 'left alone: the id belongs to another job'],
    [total('ended'), 'left alone: the job has ended otherwise, or was deleted'],
  ] as const;
  return lines.flatMap(([number, words]) => (number === 0 ? [] : [`${number} ${words}\n`])).join('');
}
