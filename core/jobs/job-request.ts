import * as v from 'valibot';
import { AppError } from '../errors.ts';
import { oneOf, strictRequest, text } from '../parse.ts';
import { parseInput } from '../parse-input.ts';
import { CACHE_CONTROLS } from '../results/cache-policy.ts';

/** Ids of jobs as callers may choose them. */
export const JOB_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Beginnings of the ids that this product makes. Anybody can compute the id of a producer's job, so a caller must not be
 * able to take one first.
 */
const OWN_ID = /^(?:batch|chunk|evt|file|job|part|upload|wh)[_-]/i;

/**
 * Reads the id of a job that its caller chose.
 *
 * @throws AppError `INVALID_PARAMETER` if it is not an id, or has a prefix of the ids that this product generates.
 */
export function readChosenId(id: string): string {
  const param = 'id';
  if (!JOB_ID_PATTERN.test(id)) {
    throw new AppError('INVALID_PARAMETER', 'the id must be 1 to 64 letters, digits, - and _', { param });
  }
  if (!OWN_ID.test(id)) return id;
  throw new AppError(
    'INVALID_PARAMETER',
    'the id must not start with evt_, job_ or another prefix of the ids that this service generates',
    { param },
  );
}

/** Names of reply queues. */
export const REPLY_QUEUE_PATTERN = /^[a-z][a-z0-9-]{0,39}$/;

const fileId = text(/^file-[A-Za-z0-9_-]{1,64}$/, 'the id of a file');

/**
 * Body of `PUT /v1/jobs/{id}`, and data of a producer's CloudEvent: a request to one of the inference routes, with
 * exactly one of `body`, `input_file_id` and `input_s3`.
 */
export const jobRequestSchema = v.pipe(
  strictRequest({
    endpoint: v.pipe(
      v.string('must be the path of an inference route'),
      v.startsWith('/', 'must be the path of an inference route'),
    ),
    body: v.optional(v.record(v.string(), v.unknown(), 'must be the JSON object that the route takes')),
    input_file_id: v.optional(fileId),
    input_s3: v.optional(text(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/, 'an object as s3://bucket/key')),
    input_media_type: v.optional(text(/^[\w.+-]+\/[\w.+-]+(?:; *[\w-]+=[\w-]+)*$/, 'a media type')),
    webhook_url: v.optional(
      v.pipe(v.string('must be a URL'), v.url('must be a URL'), v.maxLength(2048, 'must have at most 2048 characters')),
    ),
    reply_queue: v.optional(text(REPLY_QUEUE_PATTERN, 'the name of a reply queue')),
    event_bus: v.optional(v.boolean('must be true or false')),
    cache_control: v.optional(oneOf(CACHE_CONTROLS)),
  }),
  v.check(
    ({ body, input_file_id, input_s3 }) =>
      [body, input_file_id, input_s3].filter((value) => value !== undefined).length === 1,
    'must contain exactly one of body, input_file_id and input_s3',
  ),
  v.check(
    ({ body, input_media_type }) => body === undefined || input_media_type === undefined,
    'must not have input_media_type beside body, which is JSON',
  ),
);

/** A checked job request. */
export type JobRequest = v.InferOutput<typeof jobRequestSchema>;

/**
 * Checks a job request.
 *
 * @throws AppError `INVALID_BODY` that lists every problem.
 */
export function parseJobRequest(value: unknown): JobRequest {
  // The schema library takes a list for a record without members.
  if (typeof value === 'object' && value !== null && 'body' in value && Array.isArray(value.body)) {
    throw new AppError('INVALID_BODY', 'body must be the JSON object that the route takes, got a list', {
      param: 'body',
    });
  }
  return parseInput(jobRequestSchema, value, 'the job request', 'INVALID_BODY');
}
