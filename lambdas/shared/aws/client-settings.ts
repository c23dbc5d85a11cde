import { AppError } from '../../../core/errors.ts';

/**
 * Settings of the AWS clients around jobs: waits are bounded, where the SDK's own are not, so that a service that hangs
 * costs seconds and not the rest of the function's time.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 4000,
    socketTimeout: 4000,
    throwOnRequestTimeout: true,
  },
} as const;

/** The same for S3, where one request may move tens of megabytes. */
export const PAYLOAD_CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 1000,
    requestTimeout: 15_000,
    socketTimeout: 5000,
    throwOnRequestTimeout: true,
  },
} as const;

/**
 * Calls an AWS service, and converts its failures to this product's own error.
 *
 * @param what - The resource, for the message: `the jobs table`.
 * @throws AppError `UNAVAILABLE` with the failure as its cause. An AppError is thrown unchanged.
 */
export async function callAws<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('UNAVAILABLE', `${what} cannot be used right now`, { cause });
  }
}
