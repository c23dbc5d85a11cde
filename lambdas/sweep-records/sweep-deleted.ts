import type { Clock } from '../../core/clock.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { SECOND_REMOVAL_MS } from '../../core/retention/tombstone.ts';
import type { DueKind, DueRecord } from '../../core/sweep/due.ts';
import type { Sweeper, SweepResult } from '../../core/sweep/sweep.ts';

/** An object that is younger may belong to a new record with the id. Clocks differ by less. */
export const MARGIN_MS = 60_000;

/** Dependencies of {@link sweepDeleted}. */
export interface SweepDeletedDeps {
  /** Reads when the record was deleted, milliseconds since the Unix epoch; undefined if the item is not a tombstone. */
  readonly deletionOf: (due: DueRecord) => Promise<number | undefined>;
  readonly objects: Pick<FileObjects, 'removeAll'>;
  readonly clock: Clock;
}

/**
 * Removes the objects of records that were deleted, and passes all other records on.
 *
 * The objects are removed twice: immediately, in case that the deletion ended before, and once nothing can write any more: a
 * worker that had started before the deletion, or the caller at a presigned URL.
 *
 * @param next - Sweeper of records of this kind.
 */
export function sweepDeleted(next: Sweeper, { deletionOf, objects, clock }: SweepDeletedDeps): Sweeper {
  return async (due): Promise<SweepResult> => {
    const deletedAtMs = await deletionOf(due);
    if (deletedAtMs === undefined) return next(due);
    const nowMs = clock.now();
    const secondAtMs = deletedAtMs + SECOND_REMOVAL_MS;
    const isLast = nowMs >= secondAtMs;
    const notAfterMs = isLast ? nowMs - MARGIN_MS : deletedAtMs;
    for (const prefix of prefixesOf(due)) await objects.removeAll(prefix, notAfterMs);
    return isLast ? { action: 'deleted', nextAtMs: undefined } : { nextAtMs: secondAtMs };
  };
}

/** Prefixes of everything that a record stored. Ids of files have one length, so that no key is the prefix of another. */
function prefixesOf({ kind, owner, id }: DueRecord): readonly string[] {
  const prefixes = {
    job: () => payloadKeys.ofJob({ owner, id }),
    file: () => [payloadKeys.file(owner, id)],
    upload: () => [payloadKeys.piecesOf(owner, id)],
    batch: () => [payloadKeys.piecesOf(owner, id)],
  } as const satisfies Record<DueKind, () => readonly string[]>;
  return prefixes[kind]();
}
