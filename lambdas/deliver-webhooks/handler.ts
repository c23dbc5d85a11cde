import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type AppError, ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { MetricOf } from '../../core/metrics/catalogue.ts';
import { parseDeliveryMessage } from '../../core/webhooks/delivery-message.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import { handleEach } from '../shared/queue/handle-each.ts';
import { waitOrMove } from '../shared/queue/requeue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { catalogueGroups } from '../shared/telemetry/catalogue-groups.ts';
import { describeError, type LoggedError } from '../shared/telemetry/describe-error.ts';
import { type LogSettings, type LogTarget, logTarget, writeLogLine } from '../shared/telemetry/log-line.ts';
import { type DeliverDeps, type DeliveryNote, deliver } from './deliver.ts';

/** Dependencies of the function. */
export interface DeliverWebhooksDeps extends DeliverDeps, LogSettings {
  /** The queue that the messages come from. */
  readonly consumed: Pick<WorkQueue, 'url' | 'hold' | 'letGo' | 'setVisibility'>;
  /** Receives messages that are not deliveries. */
  readonly deadLetters: DeadLetters;
}

/** The handler of the queue of webhook deliveries. */
export type DeliverWebhooksHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Creates the handler: it makes one attempt for each delivery and writes one log line. Deliveries run concurrently, so
 * that a slow receiver does not delay the others. A message that fails is retried with a delay that grows to 5 minutes. An
 * invalid message moves to the dead letters.
 */
export function createHandler(deps: DeliverWebhooksDeps): DeliverWebhooksHandler {
  const target = logTarget(deps, deps.clock);
  return (event) =>
    handleEach(event, {
      queue: deps.consumed,
      read: ({ body }) => parseDeliveryMessage(body),
      handle: async (message) => {
        writeDeliveryLine(target, await deliver(message, deps));
        return 'done';
      },
      onError: ({ error, record }) => {
        const { messageId } = record;
        const note = (outcome: FailureNote['outcome'], failure: AppError) =>
          writeDeliveryLine(target, { outcome, messageId, code: failure.code, error: describeError(failure) });
        note(ERRORS[error.code].retryable ? 'will be retried' : 'invalid', error);
        const { consumed: queue, deadLetters, random } = deps;
        return waitOrMove(record, error, {
          queue,
          deadLetters,
          random,
          onFailure: (failure) => note('will be retried', failure),
        });
      },
    });
}

interface FailureNote {
  readonly outcome: 'will be retried' | 'invalid';
  readonly messageId: string;
  readonly code: ErrorCode;
  readonly error: LoggedError;
}

type Note = DeliveryNote | FailureNote;

function writeDeliveryLine(target: LogTarget, note: Note): void {
  writeLogLine(target, {
    level: EXPECTED.has(note.outcome) ? 'INFO' : 'WARN',
    message: 'webhook',
    members: { ...note, error: typeof note.error === 'string' ? { message: note.error } : note.error },
    metrics: catalogueGroups<'deliver-webhooks'>({ [METRICS[note.outcome]]: 1 }),
  });
}

/** Outcomes that need no attention. */
const EXPECTED: ReadonlySet<Note['outcome']> = new Set(['delivered', 'waits', 'repeated']);

const METRICS: Readonly<Record<Note['outcome'], MetricOf<'deliver-webhooks'>>> = {
  delivered: 'WebhooksDelivered',
  retried: 'WebhookRetries',
  waits: 'WebhookWaits',
  failed: 'WebhooksFailed',
  discarded: 'WebhooksDiscarded',
  repeated: 'WebhooksRepeated',
  'will be retried': 'WebhookErrors',
  invalid: 'WebhookErrors',
};
