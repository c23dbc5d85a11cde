import { randomUUID } from 'node:crypto';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { AppError } from '../core/errors.ts';
import { findInstance, LOCAL_CREDENTIALS } from './local-instance.ts';
import { type DeadLetterCount, redriveDeadLetters } from './redrive-dead-letters.ts';
import { renderTable } from './table.ts';

/** Options of the command as typed. */
export interface RedriveCommandOptions {
  readonly queueUrl?: string;
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
  readonly config: SQSClientConfig;
}

/**
 * Runs `tensorgate jobs redrive`.
 *
 * @returns The messages that were found and redriven.
 * @throws AppError `INVALID_PARAMETER` when an option is malformed, `UNAVAILABLE` when local mode does not run.
 */
export async function runRedrive(options: RedriveCommandOptions): Promise<readonly DeadLetterCount[]> {
  const { queueUrl, config } =
    options.queueUrl === undefined ? await localPlace(options.port) : placeOf(options.queueUrl);
  const client = new SQSClient(config);
  try {
    return await redriveDeadLetters(client, {
      queueUrl,
      redriveId: randomUUID(),
      dryRun: options.dryRun,
      limit: options.limit ?? Number.POSITIVE_INFINITY,
      code: options.code,
    });
  } catch (error) {
    throw toQueueError(error, queueUrl);
  } finally {
    client.destroy();
  }
}

/** Whatever the SDK throws is about the queue: it does not exist, does not respond, or its settings are incomplete. */
function toQueueError(error: unknown, queueUrl: string): AppError {
  if (error instanceof AppError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const reason = message === '' ? Object(error).code : message;
  return new AppError('UNAVAILABLE', `the queue ${queueUrl} cannot be used: ${name}: ${reason}`, { cause: error });
}

/** The region is in the URL of a queue on AWS; elsewhere the SDK's own settings say it. */
function placeOf(queueUrl: string): Place {
  if (!URL.canParse(queueUrl)) throw new AppError('INVALID_PARAMETER', `--queue-url must be a URL, got ${queueUrl}`);
  const region = /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\./.exec(queueUrl)?.[1];
  return { queueUrl, config: region === undefined ? {} : { region } };
}

async function localPlace(port: number | undefined): Promise<Place> {
  const instance = await findInstance(port, 'name a queue with --queue-url');
  const { queues, url } = instance.description;
  const queueUrl = queues['dead-letters'];
  if (queueUrl === undefined) {
    throw new AppError('INVALID_PARAMETER', `--queue-url is needed: the app at ${url} names no dead-letter queue`);
  }
  return { queueUrl, config: { endpoint: new URL(queueUrl).origin, ...LOCAL_CREDENTIALS } };
}

/** Renders the counts as a table. */
export function renderCounts(
  counts: readonly DeadLetterCount[],
  { dryRun }: Pick<RedriveCommandOptions, 'dryRun'>,
): string {
  if (counts.length === 0) return 'no dead letters\n';
  const rows = counts.map(({ code, source, found, putBack, message }) => [
    code,
    source,
    String(found),
    dryRun ? '-' : String(putBack),
    message,
  ]);
  return `${renderTable(['code', 'queue', 'found', 'redriven', 'last reason'], rows, [2, 3])}\n`;
}
