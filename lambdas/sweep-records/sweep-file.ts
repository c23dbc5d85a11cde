import type { Clock } from '../../core/clock.ts';
import type { FileStore } from '../../core/files/file.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { SECOND_REMOVAL_MS } from '../../core/retention/tombstone.ts';
import type { DueRecord } from '../../core/sweep/due.ts';
import type { SweepResult } from '../../core/sweep/sweep.ts';

const HOUR_MS = 3_600_000;

/** Dependencies of {@link sweepFile}. */
export interface SweepFileDeps {
  readonly files: Pick<FileStore, 'get' | 'startRemoval' | 'remove'>;
  readonly objects: Pick<FileObjects, 'remove'>;
  readonly clock: Clock;
}

/**
 * Deletes a file that has expired, or whose deletion was started: first its bytes, then its record, so that a crash in
 * between leaves a record that the next sweep finds. A file that a batch reads stays until the batch has ended.
 *
 * The record stays until its presigned URL has ended. Bytes that arrive there after the deletion are deleted with it.
 */
export async function sweepFile(
  { owner, id }: DueRecord,
  { files, objects, clock }: SweepFileDeps,
): Promise<SweepResult> {
  const nowMs = clock.now();
  const present = await files.get(owner, id);
  if (present !== undefined) return { nextAtMs: present.expiresAtMs };
  const removal = await files.startRemoval(owner, id);
  if (removal.kind === 'absent') return { nextAtMs: undefined };
  if (removal.kind === 'read') return { nextAtMs: nowMs + HOUR_MS };
  await objects.remove(payloadKeys.file(owner, id));
  const lastBytesMs = removal.file.createdAtMs + SECOND_REMOVAL_MS;
  if (nowMs < lastBytesMs) return { nextAtMs: lastBytesMs };
  await files.remove(owner, id);
  return { action: 'deleted', nextAtMs: undefined };
}
