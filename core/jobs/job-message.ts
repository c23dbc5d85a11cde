import type { InlineBody } from './inline-body.ts';
import type { JobDefinition, PayloadReference } from './job.ts';

/** The input of a job: the body of the request, or the object in S3 that holds it. Without a media type it is JSON. */
export type JobInput =
  | ({ readonly kind: 'inline' } & InlineBody)
  | { readonly kind: 'payload'; readonly payload: PayloadReference; readonly mediaType?: string };

/** Message on a model's jobs queue. It holds the whole definition, so that no record is needed to run it. */
export interface JobMessage extends JobDefinition {
  readonly v: 1;
  readonly kind: 'job';
  readonly input: JobInput;
}

/** Returns the definition of the job in a message. */
export function definitionOf({ v, kind, input, ...definition }: JobMessage): JobDefinition {
  return definition;
}

/** Message on a model's chunks queue: some lines of a batch's input file. */
export interface ChunkMessage {
  readonly v: 1;
  readonly kind: 'chunk';
  readonly owner: string;
  readonly batchId: string;
  readonly model: string;
  /** Endpoint of every line: `/v1/embeddings`. */
  readonly endpoint: string;
  /** Number of the chunk, from 0. */
  readonly index: number;
  readonly file: PayloadReference;
  /** First byte of the chunk in the file. */
  readonly start: number;
  /** Byte after the last. */
  readonly end: number;
  /** Number of the first line in the file, from 1. */
  readonly firstLine: number;
  /** Lines that are not blank: each has a result. Messages of earlier releases count blank ones too. */
  readonly lines: number;
}

/** A message of the function run-jobs. */
export type WorkMessage = JobMessage | ChunkMessage;

/** Maximum bytes of an inline input. A larger body is stored in S3. SQS accepts 1 MiB for a message or a batch of them. */
export const MAX_INLINE_INPUT_BYTES = 192 * 1024;

/**
 * Maximum bytes of a result in the job's record. Beyond about 8 KiB an object in S3 is cheaper to write (a put costs as
 * much as 8 write units), but takes one more request to read.
 */
export const MAX_INLINE_RESULT_BYTES = 16 * 1024;

/** Maximum bytes of an input that a job reads from S3: the worker holds it in memory. */
export const MAX_JOB_INPUT_BYTES = 64 * 1024 * 1024;
