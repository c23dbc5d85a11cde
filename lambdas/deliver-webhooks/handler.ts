import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type DeliveryMessage, parseDeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import { handleEach, type Verdict } from '../shared/queue/handle-each.ts';
import { type DeliverDeps, type DeliveryNote, deliver } from './deliver.ts';

/** Dependencies of the function. */
export interface DeliverWebhooksDeps extends DeliverDeps {
  readonly stage: string;
  readonly metricsNamespace: string;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
}

/** The handler of the queue of webhook deliveries. */
export type DeliverWebhooksHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Creates the handler: it makes one attempt for each delivery and writes one log line. Deliveries run concurrently, so
 * that a slow receiver does not delay the others. A message that fails each time is moved to the dead letters by SQS.
 */
export function createHandler(deps: DeliverWebhooksDeps): DeliverWebhooksHandler {
  return (event) =>
    handleEach(event, {
      read: ({ body }) => parseDeliveryMessage(body),
      handle: (message) => attempt(message, deps),
      onError: ({ error: { code }, record: { messageId } }) => {
        deps.write(lineOf({ outcome: 'will be retried', code, messageId }, deps));
        return 'retry';
      },
    });
}

async function attempt(message: DeliveryMessage, deps: DeliverWebhooksDeps): Promise<Verdict> {
  deps.write(lineOf(await deliver(message, deps), deps));
  return 'done';
}

type Note = DeliveryNote | { readonly outcome: 'will be retried'; readonly code: string; readonly messageId: string };

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
    level: EXPECTED.has(note.outcome) ? 'INFO' : 'WARN',
    timestamp: new Date(nowMs).toISOString(),
    message: 'webhook',
    stage,
    ...note,
    [metric]: 1,
  });
}

/** Outcomes that need no attention. */
const EXPECTED: ReadonlySet<Note['outcome']> = new Set(['delivered', 'waits', 'repeated']);

const METRICS: Readonly<Record<Note['outcome'], string>> = {
  delivered: 'WebhooksDelivered',
  retried: 'WebhookRetries',
  waits: 'WebhookWaits',
  failed: 'WebhooksFailed',
  discarded: 'WebhooksDiscarded',
  repeated: 'WebhooksRepeated',
  'will be retried': 'WebhookErrors',
};
