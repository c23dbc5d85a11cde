import { styleText } from 'node:util';

/** A line of a function's log. */
type LoggedRecord = Readonly<Record<string, unknown>>;

/** Counts in the line of a worker's invocation, with the words for them; see docs/observability.md. */
const WORKER_COUNTS: readonly (readonly [metric: string, words: string])[] = [
  ['JobsSucceeded', 'succeeded'],
  ['JobsFailed', 'failed'],
  ['LinesCompleted', 'batch lines completed'],
  ['LinesFailed', 'batch lines failed'],
  ['MessagesRetried', 'will be retried'],
];

/** Metrics of lines about single jobs, with the words for what happened. */
const JOB_EVENTS: readonly (readonly [metric: string, words: string])[] = [
  ['JobsSubmitted', 'submitted'],
  ['JobsDuplicate', 'was submitted before'],
  ['JobsCanceled', 'canceled'],
  ['DeadLetters', 'dead letter'],
  ['JobsLost', 'lost, now a dead letter'],
];

/** Outcomes of webhooks that need no attention and are frequent. */
const QUIET_DELIVERIES: ReadonlySet<unknown> = new Set(['waits', 'repeated']);

/**
 * Renders a line of a function's log that is about a job, a batch or a webhook.
 *
 * @returns Undefined for other lines, such as those of requests, which API Gateway reports too.
 */
export function renderRecord(record: LoggedRecord): string | undefined {
  switch (record['message']) {
    case 'jobs':
      return renderWorker(record);
    case 'job':
      return renderJob(record);
    case 'webhook':
      return renderDelivery(record);
    case 'batch step':
      return renderStep(record);
    default:
      return undefined;
  }
}

/** One invocation of a worker. It may have run chunks of batches as well as jobs. */
function renderWorker(record: LoggedRecord): string | undefined {
  const counts = WORKER_COUNTS.flatMap(([metric, words]) => {
    const count = record[metric];
    return typeof count === 'number' && count > 0 ? [`${count} ${words}`] : [];
  });
  if (counts.length === 0) return undefined;
  const codes = Object.entries(Object(record['errors'])).map(([code, count]) => `${code} x ${String(count)}`);
  const words = [counts.join(', '), ...codes].join('  ');
  return line('jobs', [coloured(record, words), duration(record['Duration']), text(record['model'])]);
}

function renderJob(record: LoggedRecord): string | undefined {
  const event = JOB_EVENTS.find(([metric]) => record[metric] !== undefined);
  const what = event?.[1] ?? text(record['outcome']);
  if (what === undefined) return undefined;
  const id = text(record['jobId']) ?? text(record['batchId']) ?? `message ${text(record['messageId']) ?? '?'}`;
  return line('job', [id, coloured(record, what), failureOf(record), text(record['model'])]);
}

function renderDelivery(record: LoggedRecord): string | undefined {
  const { outcome } = record;
  if (QUIET_DELIVERIES.has(outcome)) return undefined;
  const attempt = typeof record['attempt'] === 'number' ? `attempt ${record['attempt']}` : undefined;
  const status = typeof record['status'] === 'number' ? String(record['status']) : undefined;
  const id = text(record['deliveryId']) ?? text(record['messageId']);
  return line('webhook', [id, coloured(record, text(outcome) ?? ''), status, attempt, failureOf(record)]);
}

function renderStep(record: LoggedRecord): string {
  const kind = text(record['kind']) ?? 'step';
  return line('batch', [text(record['id']), coloured(record, kind), duration(record['durationMs']), failureOf(record)]);
}

/** Code and message of a failure. */
function failureOf(record: LoggedRecord): string | undefined {
  const message = text(Object(record['error']).message);
  const code = text(record['code']);
  if (code === undefined) return message;
  return message === undefined ? code : `${code}: ${message}`;
}

function line(kind: string, parts: readonly (string | undefined)[]): string {
  return [kind.padEnd(4), ...parts.filter((part) => part !== undefined && part !== '')].join('  ');
}

function coloured({ level }: LoggedRecord, words: string): string {
  if (level === 'ERROR') return styleText('red', words);
  return styleText(level === 'WARN' ? 'yellow' : 'green', words);
}

function duration(ms: unknown): string | undefined {
  return typeof ms === 'number' ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : undefined;
}

/** A value of a record on one line of the terminal. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return typeof value === 'number' ? String(value) : undefined;
  return value.replaceAll(/\p{Cc}+/gu, ' ');
}
