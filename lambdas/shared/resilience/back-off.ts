import { setTimeout as sleep } from 'node:timers/promises';

/** The pauses between attempts. */
export interface BackOff {
  /** Upper bound of the first pause; it doubles with each further one. */
  readonly firstMs: number;
  /** Upper bound of every pause. */
  readonly maxMs: number;
  /** Ends a pause. */
  readonly signal?: AbortSignal;
}

/**
 * Pauses before another attempt: a random time up to a bound that doubles each time, so that callers that collided do
 * not collide again ("full jitter").
 *
 * @param attempt - Number of attempts so far, from 1.
 * @throws Error when the signal is aborted.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export async function backOff(attempt: number, { firstMs, maxMs, signal }: BackOff): Promise<void> {
  await sleep(Math.random() * Math.min(maxMs, firstMs * 2 ** (attempt - 1)), undefined, { signal });
}

/**
 * Repeats a batch operation with the entries that the service left unprocessed.
 *
 * @param send - Sends entries and returns those that were not processed.
 * @param maxAttempts - Attempts in all.
 * @returns The entries that are unprocessed after the last attempt.
 * @throws Error when the signal is aborted.
 */
export async function retryUnprocessed<T>(
  entries: readonly T[],
  send: (entries: readonly T[]) => Promise<readonly T[]>,
  { maxAttempts, ...pauses }: BackOff & { readonly maxAttempts: number },
): Promise<readonly T[]> {
  let rest = entries;
  for (let attempt = 0; rest.length > 0 && attempt < maxAttempts; attempt++) {
    if (attempt > 0) await backOff(attempt, pauses);
    rest = await send(rest);
  }
  return rest;
}
