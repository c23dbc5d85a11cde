import * as v from 'valibot';
import { AppError } from '../errors.ts';
import { parseInput } from '../parse-input.ts';

/** One delivery of one event to one webhook; the next attempt is the same message with `attempt` one higher. */
export interface DeliveryMessage {
  readonly v: 1;
  readonly kind: 'delivery';
  readonly owner: string;
  /** `webhook-id`, the same for every attempt; holds no dot. */
  readonly id: string;
  readonly url: string;
  /** Job or batch that the event is about. */
  readonly subject: { readonly object: 'job' | 'batch'; readonly id: string };
  /** Body to send, byte for byte the same at every attempt. */
  readonly body: string;
  /** Attempts made before this one. */
  readonly attempt: number;
  /** Earliest time of this attempt, milliseconds since the Unix epoch. */
  readonly notBeforeMs: number;
  /** When the first attempt was due, milliseconds since the Unix epoch. */
  readonly firstAtMs: number;
  readonly traceparent?: string;
  /** Whether an attempt was cut off because the receiver is not as quick as it was. The next one waits longer. */
  readonly isPatient?: boolean;
  /** How often in a row it had to wait because too many attempts were under way. */
  readonly waits?: number;
  /** Whether the owner requested it again. It is then sent even if it was delivered before. */
  readonly isRedelivery?: boolean;
}

const name = v.pipe(v.string('must be a string'), v.minLength(1, 'must not be empty'));
const time = v.pipe(v.number('must be a number'), v.minValue(0, 'must not be negative'));

const schema = v.looseObject({
  v: v.literal(1, 'must be 1'),
  kind: v.literal('delivery', 'must be delivery'),
  owner: name,
  id: name,
  url: name,
  body: name,
  subject: v.object({ object: v.picklist(['job', 'batch'], 'must be job or batch'), id: name }),
  attempt: time,
  notBeforeMs: time,
  firstAtMs: time,
  traceparent: v.optional(name),
  isPatient: v.optional(v.boolean('must be true or false')),
  waits: v.optional(time),
  isRedelivery: v.optional(v.boolean('must be true or false')),
});

/**
 * Reads a message of the queue of webhook deliveries.
 *
 * @throws AppError `INVALID_BODY` when it is invalid.
 */
export function parseDeliveryMessage(text: string): DeliveryMessage {
  return parseInput(schema, fromJson(text), 'the message', 'INVALID_BODY');
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('INVALID_BODY', 'the message is not JSON', { cause });
  }
}
