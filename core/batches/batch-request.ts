import * as v from 'valibot';
import { expiresAfter } from '../files/file-request.ts';
import { METADATA_LIMITS } from '../files/limits.ts';
import { oneOf, text, tolerantRequest, wellFormed } from '../parse.ts';
import { parseInput } from '../parse-input.ts';
import { CACHE_CONTROLS } from '../results/cache-policy.ts';

const { pairs, keyCharacters, valueCharacters } = METADATA_LIMITS;

const metadata = v.pipe(
  v.record(
    v.pipe(v.string(), v.maxLength(keyCharacters, `must have keys of ${keyCharacters} characters at most`), wellFormed),
    v.pipe(
      v.string('must be a string'),
      v.maxLength(valueCharacters, `must be ${valueCharacters} characters at most`),
      wellFormed,
    ),
    'must be a map of strings',
  ),
  v.maxEntries(pairs, `must contain ${pairs} pairs at most`),
);

/** Schema of the body of `POST /v1/batches`. */
export const batchRequest = tolerantRequest({
  input_file_id: text(/^file-[A-Za-z0-9_-]{1,64}$/, 'the id of a file'),
  endpoint: v.string('must be the path of an inference route'),
  completion_window: v.literal('24h', 'must be 24h'),
  metadata: v.optional(metadata),
  output_expires_after: expiresAfter,
  cache_control: v.optional(oneOf(CACHE_CONTROLS)),
});

/** Body of `POST /v1/batches`. */
export type BatchRequest = v.InferOutput<typeof batchRequest>;

/**
 * Checks the request for a batch.
 *
 * @throws AppError `INVALID_BODY` that lists all problems.
 */
export function parseBatchRequest(value: unknown): BatchRequest {
  return parseInput(batchRequest, value, 'the batch', 'INVALID_BODY');
}
