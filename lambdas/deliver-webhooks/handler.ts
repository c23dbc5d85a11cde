import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { parseDeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import { type DeliverDeps, type DeliveryNote, deliver } from './deliver.ts';

/** All that {@link createHandler} wires. */
export interface DeliverWebhooksDeps extends DeliverDeps {
  readonly stage: string;
  readonly metricsNamespace: string;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** The handler of the queue of webhook deliveries. */
export type DeliverWebhooksHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Wires the function: deliveries in, one attempt and one log line for each. All of an invocation are on their way at the
 * same time, so that a receiver that hangs holds no other up.
 */
export function createHandler(deps: DeliverWebhooksDeps): DeliverWebhooksHandler {
  return async (event) => {
    const verdicts = await Promise.all(event.Records.map((record) => handle(record, deps)));
    const failed = event.Records.filter((_, index) => !verdicts[index]);
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** @returns Whether the message is done with; one that is not ends among the dead letters in the end. */
async function handle(record: SQSRecord, deps: DeliverWebhooksDeps): Promise<boolean> {
  try {
    const note = await deliver(parseDeliveryMessage(record.body), deps);
    deps.write(lineOf(note, deps));
    return true;
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'INTERNAL';
    deps.write(lineOf({ outcome: 'comes again', code, messageId: record.messageId }, deps));
    return false;
  }
}

type Note = DeliveryNote | { readonly outcome: 'comes again'; readonly code: string; readonly messageId: string };

/** A log record and a metrics document (CloudWatch embedded metric format specification, version 0) in one. */
function lineOf(note: Note, { stage, metricsNamespace, clock }: DeliverWebhooksDeps): string {
  const nowMs = clock.now();
  const metric = METRICS[note.outcome];
  const directive = {
    Namespace: metricsNamespace,
    Dimensions: [['stage']],
    Metrics: [{ Name: metric, Unit: 'Count' }],
  };
  return JSON.stringify({
    _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] },
    level: CALM.has(note.outcome) ? 'INFO' : 'WARN',
    timestamp: new Date(nowMs).toISOString(),
    message: 'webhook',
    stage,
    ...note,
    [metric]: 1,
  });
}

/** Outcomes that nobody need look at. */
const CALM: ReadonlySet<Note['outcome']> = new Set(['delivered', 'waits', 'repeated']);

const METRICS: Readonly<Record<Note['outcome'], string>> = {
  delivered: 'WebhooksDelivered',
  retried: 'WebhookRetries',
  waits: 'WebhookWaits',
  failed: 'WebhooksFailed',
  discarded: 'WebhooksDiscarded',
  repeated: 'WebhooksRepeated',
  'comes again': 'WebhookErrors',
};
