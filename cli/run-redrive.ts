import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { AppError } from '../core/errors.ts';
import { type DeadLetterCount, redriveDeadLetters } from './redrive-dead-letters.ts';
import { renderTable } from './table.ts';

/** Options of the command as typed. */
export interface RedriveCommandOptions {
  readonly queueUrl?: string;
  readonly code?: string;
  readonly limit?: string;
  readonly dryRun: boolean;
}

const LOCAL_DESCRIPTION = '.tensorgate/local.json';

/** Where the dead letters are. */
interface Place {
  readonly queueUrl: string;
  readonly config: SQSClientConfig;
}

/**
 * Runs `tensorgate jobs redrive`.
 *
 * @returns A table of the messages that were found and redriven, to print.
 * @throws AppError `CONFIG_INVALID` when an option is malformed or nothing says where the queue is.
 */
export async function runRedrive(options: RedriveCommandOptions): Promise<string> {
  const limit = readLimit(options.limit);
  const { queueUrl, config } = options.queueUrl === undefined ? await localPlace() : placeOf(options.queueUrl);
  const client = new SQSClient(config);
  try {
    const counts = await redriveDeadLetters(client, {
      queueUrl,
      redriveId: randomUUID(),
      dryRun: options.dryRun,
      limit,
      code: options.code,
    });
    return render(counts, options.dryRun);
  } finally {
    client.destroy();
  }
}

function readLimit(value: string | undefined): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const limit = Number(value);
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new AppError('CONFIG_INVALID', `--limit must be a whole number from 1, got ${value}`);
}

/** The region is in the URL of a queue on AWS; elsewhere the SDK's own settings say it. */
function placeOf(queueUrl: string): Place {
  if (!URL.canParse(queueUrl)) throw new AppError('CONFIG_INVALID', `--queue-url must be a URL, got ${queueUrl}`);
  const region = /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\./.exec(queueUrl)?.[1];
  return { queueUrl, config: region === undefined ? {} : { region } };
}

async function localPlace(): Promise<Place> {
  const queueUrl = queueOf(await readFile(LOCAL_DESCRIPTION, 'utf8').catch(() => '{}'));
  if (queueUrl === undefined) {
    throw new AppError(
      'CONFIG_INVALID',
      `--queue-url is needed: ${LOCAL_DESCRIPTION} names no dead-letter queue, local mode does not run here`,
    );
  }
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return { queueUrl, config: { endpoint: new URL(queueUrl).origin, region: 'us-east-1', credentials } };
}

function queueOf(description: string): string | undefined {
  const { queues } = JSON.parse(description) as { readonly queues?: Readonly<Record<string, string>> };
  return queues?.['dead-letters'];
}

function render(counts: readonly DeadLetterCount[], dryRun: boolean): string {
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
