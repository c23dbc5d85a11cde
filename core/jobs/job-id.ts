import { timeOrderedId } from '../ids/time-ordered-id.ts';
import type { CacheControl } from '../results/cache-policy.ts';
import type { Hash } from '../results/canonical-bytes.ts';
import type { InlineBody } from './inline-body.ts';
import type { Destinations, StoredBody } from './job.ts';

/** Digits of RFC 4648's base32, in lower case. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Characters of an id after its prefix. */
const ID_LENGTH = 26;

/** Identity of a job: two submissions with the same id are the same job if these members are equal. */
export interface JobIdentity {
  readonly endpoint: string;
  /** The body, or the object in S3 that holds it. */
  readonly input: InlineBody | StoredBody;
  readonly destinations: Destinations;
  readonly cacheControl?: CacheControl | undefined;
}

/**
 * Makes an id for a new job; ids sort by the time they were made.
 *
 * @param nowMs - Milliseconds since the Unix epoch.
 * @param entropy - 16 random bytes.
 */
export function newJobId(nowMs: number, entropy: Uint8Array): string {
  return `job_${timeOrderedId(nowMs, entropy)}`;
}

/** Returns the id of the job that a caller submits with a header `Idempotency-Key`. */
export function jobIdOfKey(hash: Hash, owner: string, idempotencyKey: string): string {
  return `job_${derivedId(hash, ['job-id/1', owner, idempotencyKey])}`;
}

/** For how long a request without an `Idempotency-Key` is the same job if it is repeated. */
export const REPEAT_WINDOW_MS = 5 * 60_000;

/**
 * Derives the idempotency keys of a request whose caller gave none.
 *
 * Time is divided into intervals as long as {@link REPEAT_WINDOW_MS}, and the key depends on the interval. A request that
 * is repeated within the window was submitted in this interval or in the one before.
 *
 * @param requestHash - {@link jobHash} of the request.
 * @returns The key of this interval, and that of the one before.
 */
export function derivedKeys(hash: Hash, owner: string, requestHash: string, nowMs: number) {
  const interval = Math.floor(nowMs / REPEAT_WINDOW_MS);
  const keyOf = (number: number) => `auto-${derivedId(hash, ['auto-key/1', owner, requestHash, number])}`;
  return [keyOf(interval), keyOf(interval - 1)] as const;
}

/** The outcome of the search for a request that the caller repeats without an `Idempotency-Key`. */
export interface Repetition<T> {
  /** Derived key that identifies the request; absent if a record that must not be returned has it. */
  readonly key?: string;
  /** The record of the earlier request; absent if the request repeats none. */
  readonly present?: T | undefined;
}

/**
 * Finds the record that a request repeats.
 *
 * @param keys - {@link derivedKeys} of the request.
 * @param records - The record of each key, undefined if there is none.
 * @param isRepeatable - Whether a record may be returned; otherwise the repetition is a new attempt.
 */
export function repetitionOf<T extends { readonly createdAtMs: number }>(
  keys: ReturnType<typeof derivedKeys>,
  [current, previous]: readonly (T | undefined)[],
  { nowMs, isRepeatable }: { readonly nowMs: number; readonly isRepeatable: (record: T) => boolean },
): Repetition<T> {
  const isReturned = (record: T | undefined) =>
    record !== undefined && nowMs - record.createdAtMs < REPEAT_WINDOW_MS && isRepeatable(record);
  if (isReturned(current)) return { key: keys[0], present: current };
  if (isReturned(previous)) return { key: keys[1], present: previous };
  return current === undefined ? { key: keys[0] } : {};
}

/** Returns the id of the job of a CloudEvent: source and id together name an event (CloudEvents 1.0, `id`). */
export function jobIdOfEvent(hash: Hash, source: string, eventId: string): string {
  return `evt_${derivedId(hash, ['event-id/1', source, eventId])}`;
}

/**
 * Returns the SHA-256 of everything that identifies a job. Members that later releases added count only if present, so that
 * hashes stay.
 */
export function jobHash(hash: Hash, { endpoint, input, destinations, cacheControl }: JobIdentity): string {
  const { webhookUrl = null, replyQueue = null, eventBus = false } = destinations;
  const added = cacheControl === undefined ? [] : [cacheControl];
  return hashOf(hash, ['job/1', endpoint, fieldsOf(input), webhookUrl, replyQueue, eventBus, ...added]);
}

function fieldsOf(input: JobIdentity['input']): readonly string[] {
  if ('json' in input) return ['inline', input.json];
  if ('base64' in input) return ['inline', input.mediaType, input.base64];
  const { bucket, key, mediaType } = input;
  return ['payload', bucket, key, ...(mediaType === undefined ? [] : [mediaType])];
}

/**
 * Derives an id of 26 characters of base32 from some fields.
 *
 * @param fields - The first keeps ids of different purposes apart.
 */
export function derivedId(hash: Hash, fields: readonly (string | number)[]): string {
  const bytes = Uint8Array.from(atob(toBase64(hashOf(hash, fields))), (char) => char.charCodeAt(0));
  return base32(bytes).slice(0, ID_LENGTH);
}

/** Different lists of fields always have different JSON. */
function hashOf(hash: Hash, fields: readonly unknown[]): string {
  return hash(new TextEncoder().encode(JSON.stringify(fields)));
}

function toBase64(base64Url: string): string {
  return base64Url.replaceAll('-', '+').replaceAll('_', '/');
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((value >>> bits) & 31);
    }
  }
  return text;
}
