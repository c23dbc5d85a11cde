import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { AppError } from '../../core/errors.ts';
import { ID_ENTROPY_BYTES, timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { derivedId, derivedKeys, repetitionOf } from '../../core/jobs/job-id.ts';
import { headerOf } from '../shared/http/header.ts';
import { sha256 } from '../shared/sha256.ts';
import type { Call } from './call.ts';

/** Maximum length of an idempotency key. */
const MAX_KEY_CHARACTERS = 255;

/** Batches that a repeated request does not return: its repetition is a new attempt. */
const UNREPEATABLE: readonly BatchRecord['status'][] = ['cancelling', 'cancelled', 'failed', 'expired'];

/** The batch that a request stands for. */
export interface BatchIdentity {
  readonly id: string;
  /** Derived key by which a repeated request finds the batch. */
  readonly derivedKey?: string | undefined;
  /** Whether the caller chose the key. */
  readonly isChosen: boolean;
  /** The batch, if the request was accepted before. */
  readonly present?: BatchRecord | undefined;
}

/**
 * Finds the batch that a request stands for. If the caller gave no `Idempotency-Key`, the key is derived from the request,
 * as for jobs (see `submitRepeatable`): a client that repeats a request, because it received an error or no response, gets
 * the same batch.
 *
 * @param hash - SHA-256 of the request.
 * @throws AppError `INVALID_PARAMETER` if the key is too long.
 */
export async function identifyBatch(call: Call, hash: string): Promise<BatchIdentity> {
  const { owner, batches, clock } = call;
  const find = (key: string) => batches.getBatch(owner, idOfKey(owner, key));
  const chosen = readKey(call);
  if (chosen !== undefined) {
    return { id: idOfKey(owner, chosen), isChosen: true, present: await find(chosen) };
  }
  const nowMs = clock.now();
  const keys = derivedKeys(sha256, owner, hash, nowMs);
  const { key, present } = repetitionOf(keys, await Promise.all(keys.map(find)), { nowMs, isRepeatable });
  return key === undefined ? newBatch(call) : { id: idOfKey(owner, key), derivedKey: key, isChosen: false, present };
}

/** Returns the identity of a batch that no key finds, because the batch of the derived key was deleted or has not completed. */
export function newBatch({ clock, entropy }: Call): BatchIdentity {
  return { id: `batch_${timeOrderedId(clock.now(), entropy(ID_ENTROPY_BYTES))}`, isChosen: false };
}

function readKey({ event }: Call): string | undefined {
  const key = headerOf(event, 'idempotency-key');
  if (key === undefined || (key.length > 0 && key.length <= MAX_KEY_CHARACTERS)) return key;
  throw new AppError('INVALID_PARAMETER', `Idempotency-Key must have 1 to ${MAX_KEY_CHARACTERS} characters`, {
    param: 'Idempotency-Key',
  });
}

function idOfKey(owner: string, key: string): string {
  return `batch_${derivedId(sha256, ['batch-id/1', owner, key])}`;
}

function isRepeatable({ status }: BatchRecord): boolean {
  return !UNREPEATABLE.includes(status);
}
