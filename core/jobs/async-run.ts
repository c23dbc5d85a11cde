import type { PayloadReference } from './job.ts';
import type { WorkMessage } from './job-message.ts';

/** A request that an asynchronous endpoint took. */
export interface AsyncInvocation {
  /** Digest of the request: the same tensors for the same weights have the same. */
  readonly digest: string;
  /** Where the answer will lie. */
  readonly output: PayloadReference;
  /** Where the reason will lie if there is none. */
  readonly failure: PayloadReference;
}

/** Work that waits for an asynchronous endpoint: all it takes to go on with it, wherever that happens. */
export interface AsyncRun {
  readonly v: 1;
  readonly message: WorkMessage;
  /** Attributes that the message is sent again with. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly submittedAtMs: number;
  readonly invocations: readonly AsyncInvocation[];
}

/** Characters of a SHA-256 in base64url. */
const DIGEST = /^[\w-]{43}$/;

/**
 * Names a request so that the notification of its end names the run that it belongs to.
 *
 * @param run - Key of the run: a SHA-256 in base64url.
 * @returns An `InferenceId`, 64 characters at most.
 */
export function inferenceId(run: string, index: number): string {
  return `${run}.${index}`;
}

/**
 * Finds the run in a notification of an asynchronous endpoint. Whether it went well is not read from it: that lies in S3.
 *
 * @param value - The parsed message, as Amazon SNS hands it on raw.
 * @returns Key of the run; undefined when it is no such notification.
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
 */
export function runOfNotification(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('inferenceId' in value) || !('eventSource' in value)) return;
  const { inferenceId: id, eventSource } = value;
  if (eventSource !== 'aws:sagemaker' || typeof id !== 'string') return undefined;
  const [run = ''] = id.split('.');
  return DIGEST.test(run) ? run : undefined;
}

/** Reads `s3://bucket/key`; undefined when it is no such address. */
export function parseS3Uri(uri: string | undefined): PayloadReference | undefined {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri ?? '') ?? [];
  return bucket === undefined || key === undefined ? undefined : { bucket, key };
}
