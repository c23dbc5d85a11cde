import * as v from 'valibot';
import { AppError } from '../errors.ts';
import type { DeliveryMessage } from '../jobs/job-message.ts';
import { parse } from '../parse.ts';

const name = v.pipe(v.string('must be a string'), v.minLength(1, 'must not be empty'));
const time = v.pipe(v.number('must be a number'), v.minValue(0, 'must not be negative'));

const schema = v.looseObject({
  v: v.literal(1, 'must be 1'),
  kind: v.literal('delivery', 'must be delivery'),
  ...{ owner: name, id: name, url: name, body: name },
  subject: v.object({ object: v.picklist(['job', 'batch'], 'must be job or batch'), id: name }),
  ...{ attempt: time, notBeforeMs: time, firstAtMs: time },
  traceparent: v.optional(name),
  isRedelivery: v.optional(v.boolean('must be true or false')),
});

/**
 * Reads a message of the queue of webhook deliveries.
 *
 * @throws AppError `INVALID_BODY` when it is none.
 */
export function parseDeliveryMessage(text: string): DeliveryMessage {
  return parse(schema, fromJson(text), 'the message', 'INVALID_BODY');
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('INVALID_BODY', 'the message is not JSON', { cause });
  }
}
