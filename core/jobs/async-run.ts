import type { PayloadReference } from './job.ts';
import type { WorkMessage } from './job-message.ts';

/** A request that an asynchronous endpoint accepted. */
export interface AsyncInvocation {
  /** Digest of the request: the same tensors for the same weights have the same digest. */
  readonly digest: string;
  /** Object that will hold the response. */
  readonly output: PayloadReference;
  /** Object that will hold the reason if the endpoint fails. */
  readonly failure: PayloadReference;
}

/** Work that waits for an asynchronous endpoint, with everything that a worker needs to resume it. */
export interface AsyncRun {
  readonly v: 1;
  readonly message: WorkMessage;
  /** Attributes that the message is sent again with. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly submittedAtMs: number;
  /** Id of the latest submission, whose open requests are counted; records of earlier releases have none. */
  readonly submission?: string;
  /** Accepted requests; the place in the list is the number of the request. */
  readonly invocations: readonly AsyncInvocation[];
}

/** Names one request of a run. */
export interface InvocationId {
  /** Key of the run: a SHA-256 in base64url. */
  readonly run: string;
  /** Id of the submission: 1 to 8 letters, digits, hyphens and underscores; empty in names of earlier releases. */
  readonly submission: string;
  /** Number of the request in the run. */
  readonly number: number;
}

const INFERENCE_ID = /^([\w-]{43})\.(?:([\w-]{1,8})\.)?(\d{1,9})$/;

/**
 * Renders the name that an endpoint repeats in its notification.
 *
 * @returns An `InferenceId`, 64 characters at most.
 */
export function inferenceId({ run, submission, number }: InvocationId): string {
  return `${run}.${submission}.${number}`;
}

/**
 * Finds the request that a notification of an asynchronous endpoint is about. Its success or failure is not read from
 * the notification, but from the objects that the endpoint wrote.
 *
 * @param value - The parsed message, as Amazon SNS delivers it raw.
 * @returns Undefined if the message is not a notification about a request of a run.
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
 */
export function invocationOfNotification(value: unknown): InvocationId | undefined {
  if (typeof value !== 'object' || value === null || !('inferenceId' in value) || !('eventSource' in value)) return;
  const { inferenceId: id, eventSource } = value;
  if (eventSource !== 'aws:sagemaker' || typeof id !== 'string') return undefined;
  const [, run, submission = '', number] = INFERENCE_ID.exec(id) ?? [];
  return run === undefined ? undefined : { run, submission, number: Number(number) };
}

/** Reads `s3://bucket/key`; undefined for any other text. */
export function parseS3Uri(uri: string | undefined): PayloadReference | undefined {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri ?? '') ?? [];
  return bucket === undefined || key === undefined ? undefined : { bucket, key };
}
