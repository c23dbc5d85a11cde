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
  /**
   * Where to look for chunks without an outcome: a sweep found that they have no message. They are sent again, or counted
   * as stopped if the batch waits for no more chunks.
   */
  readonly resend?: ChunkPlace | undefined;
}

/** The start of a chunk. Splitting the file from there gives this chunk and all that follow. */
export interface ChunkPlace {
  readonly index: number;
  /** First byte in the file. */
  readonly start: number;
  /** Number of the first line in the file, from 1. */
  readonly firstLine: number;
}

/** The start of the first chunk. */
export const FIRST_PLACE: ChunkPlace = { index: 0, start: 0, firstLine: 1 };

/** A message of the function process-batches; `attempt` counts the failures in a row before this attempt. */
export type StepMessage = (BatchStepMessage | UploadStepMessage) & { readonly attempt?: number };

const name = v.pipe(v.string('must be a name'), v.minLength(1, 'must be a name'), v.maxLength(200, 'must be a name'));
const position = wholeNumber(0, Number.MAX_SAFE_INTEGER);
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
    resend: v.optional(objectOf({ index: position, start: position, firstLine: position })),
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

/** Text that is not JSON fails like any other value that is not a message. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Work must be settled within 10 minutes of the end of an outage, so it waits for at most 5 minutes. */
const MAX_DELAY_SECONDS = 300;

/** Returns the delay of a step after some failures in a row: 2 s, doubled each time, up to 5 minutes. */
export function stepDelaySeconds(attempt: number): number {
  return Math.min(MAX_DELAY_SECONDS, 2 ** Math.min(attempt, 20));
}
