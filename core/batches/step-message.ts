import * as v from 'valibot';
import type { UploadStepMessage } from '../files/upload.ts';
import { objectOf, wholeNumber } from '../parse.ts';
import { parseInput } from '../parse-input.ts';

/** One step of a batch. A step can be repeated, and continues where the last one stopped. */
export interface BatchStepMessage {
  readonly v: 1;
  readonly kind: 'split' | 'merge';
  readonly owner: string;
  readonly batchId: string;
  /** Whether it does nothing if another step has started the batch. Such a step is sent before the batch is recorded. */
  readonly isSpare?: boolean | undefined;
}

/** A message of the function process-batches; `attempt` counts the failures in a row before this attempt. */
export type StepMessage = (BatchStepMessage | UploadStepMessage) & { readonly attempt?: number };

const name = v.pipe(v.string('must be a name'), v.minLength(1, 'must be a name'), v.maxLength(200, 'must be a name'));
const common = {
  v: v.literal(1, 'must be 1'),
  owner: name,
  attempt: v.optional(wholeNumber(0, 1_000_000)),
};

const schema = v.variant('kind', [
  objectOf({
    ...common,
    kind: v.picklist(['split', 'merge']),
    batchId: name,
    isSpare: v.optional(v.boolean('must be true or false')),
  }),
  objectOf({ ...common, kind: v.literal('assemble'), uploadId: name }),
]);

/**
 * Reads a message of the queue of batch steps.
 *
 * @throws AppError `INVALID_EVENT` when it is invalid.
 */
export function parseStepMessage(text: string): StepMessage {
  return parseInput(schema, fromJson(text), 'the message', 'INVALID_EVENT');
}

/** Text that is no JSON fails as any other value that is no message. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Work must be settled within 10 minutes of the end of an outage, so that it waits for 5 minutes at most. */
const MAX_DELAY_SECONDS = 300;

/** Returns the delay of a step after some failures in a row: 2 s, doubled each time, up to 5 minutes. */
export function stepDelaySeconds(attempt: number): number {
  return Math.min(MAX_DELAY_SECONDS, 2 ** Math.min(attempt, 20));
}
