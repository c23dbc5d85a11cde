import { AppError } from '../errors.ts';

/** Objects of a bucket from which jobs may read their inputs. */
export interface InputPlace {
  readonly bucket: string;
  /** Beginning of the keys; empty for the whole bucket. */
  readonly prefix: string;
}

/** Resources of the deployment's own account that the jobs of a caller may use. */
export interface Grants {
  /** Names of reply queues. */
  readonly replyQueues: readonly string[];
  /** Whether events may go to the event bus. */
  readonly eventBus: boolean;
  readonly inputBuckets: readonly InputPlace[];
}

/** The grants of a caller whose plan names none. */
export const NO_GRANTS: Grants = { replyQueues: [], eventBus: false, inputBuckets: [] };

/**
 * Checks that a job may use the destinations that it names. Messages name what the caller may use, never what the deployment
 * has.
 *
 * @throws AppError `DESTINATION_FORBIDDEN`
 */
export function checkDestinations(
  { replyQueue, eventBus }: { readonly replyQueue?: string | undefined; readonly eventBus?: boolean | undefined },
  grants: Grants,
): void {
  if (replyQueue !== undefined && !grants.replyQueues.includes(replyQueue)) {
    const names = grants.replyQueues.length === 0 ? 'no reply queue' : `only ${grants.replyQueues.join(', ')}`;
    throw new AppError('DESTINATION_FORBIDDEN', `reply_queue may not be used, this caller may use ${names}`, {
      param: 'reply_queue',
    });
  }
  if (eventBus === true && !grants.eventBus) {
    throw new AppError('DESTINATION_FORBIDDEN', 'event_bus may not be used by this caller', { param: 'event_bus' });
  }
}

/**
 * Checks that a job may read an object as its input.
 *
 * @throws AppError `INPUT_FORBIDDEN`
 */
export function checkInput({ bucket, key }: { readonly bucket: string; readonly key: string }, grants: Grants): void {
  const { inputBuckets } = grants;
  // A client that resolves dots in paths would leave the prefix.
  const hasDots = key.split('/').some((part) => part === '.' || part === '..');
  if (!hasDots && inputBuckets.some((place) => place.bucket === bucket && key.startsWith(place.prefix))) return;
  const places = inputBuckets.map((place) => `s3://${place.bucket}/${place.prefix}`).join(', ');
  const allowed = places === '' ? 'this caller may read no bucket' : `this caller may read only ${places}`;
  throw new AppError('INPUT_FORBIDDEN', `input_s3 may not be read, ${allowed}`, { param: 'input_s3' });
}
