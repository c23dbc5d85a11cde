import * as v from 'valibot';
import { parseInput } from '../parse-input.ts';
import type { WorkMessage } from './job-message.ts';
import { JOB_ID_PATTERN } from './job-request.ts';

const name = v.pipe(v.string('must be a string'), v.minLength(1, 'must not be empty'));
const count = v.pipe(
  v.number('must be a number'),
  v.safeInteger('must be whole'),
  v.minValue(0, 'must not be negative'),
);
const payload = v.looseObject({ bucket: name, key: name });

const jobSchema = v.looseObject({
  v: v.literal(1, 'must be 1'),
  kind: v.literal('job'),
  owner: name,
  id: v.pipe(v.string('must be a string'), v.regex(JOB_ID_PATTERN, 'must be the id of a job')),
  hash: name,
  endpoint: name,
  model: name,
  version: v.optional(name),
  createdAtMs: count,
  expiresAtMs: count,
  destinations: v.looseObject({
    webhookUrl: v.optional(name),
    replyQueue: v.optional(name),
    eventBus: v.optional(v.boolean('must be true or false')),
  }),
  baseUrl: v.optional(name),
  traceparent: v.optional(name),
  input: v.variant('kind', [
    v.looseObject({ kind: v.literal('inline'), json: v.string('must be a string') }),
    v.looseObject({ kind: v.literal('inline'), mediaType: name, base64: name }),
    v.looseObject({ kind: v.literal('payload'), payload, mediaType: v.optional(name) }),
  ]),
});

const chunkSchema = v.looseObject({
  v: v.literal(1, 'must be 1'),
  kind: v.literal('chunk'),
  owner: name,
  batchId: name,
  model: name,
  endpoint: name,
  index: count,
  file: payload,
  start: count,
  end: count,
  firstLine: count,
  lines: count,
});

const workSchema = v.variant('kind', [jobSchema, chunkSchema], 'must be a job or a chunk');

/**
 * Parses a message of a model's queues. A later version of this product, or an operator by hand, may have sent it.
 *
 * @param value - The parsed body of the message.
 * @throws AppError `INVALID_BODY` that lists all problems.
 */
export function parseWorkMessage(value: unknown): WorkMessage {
  return parseInput(workSchema, value, 'the message', 'INVALID_BODY');
}
