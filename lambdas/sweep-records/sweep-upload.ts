import type { Clock } from '../../core/clock.ts';
import type { FileStore } from '../../core/files/file.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import type { UploadStepMessage, UploadStore } from '../../core/files/upload.ts';
import type { MessageQueue } from '../../core/jobs/message-queue.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { DueRecord } from '../../core/sweep/due.ts';
import type { SweepResult } from '../../core/sweep/sweep.ts';

const HOUR_MS = 3_600_000;

/** Dependencies of {@link sweepUpload}. */
export interface SweepUploadDeps {
  readonly uploads: Pick<UploadStore, 'get'>;
  readonly files: Pick<FileStore, 'get'>;
  readonly objects: Pick<FileObjects, 'removeAll'>;
  /** Queue of batch steps. */
  readonly steps: MessageQueue;
  readonly clock: Clock;
}

/**
 * Deletes the parts of an upload that was abandoned, canceled, or has become a file. If its parts are not one file yet, the
 * step that assembles them is sent again: repeated steps are harmless.
 *
 * The record stays until its own retention is over, so that its owner sees that the upload has ended.
 */
export async function sweepUpload({ owner, id }: DueRecord, deps: SweepUploadDeps): Promise<SweepResult> {
  const upload = await deps.uploads.get(owner, id);
  if (upload === undefined) return { nextAtMs: undefined };
  const file = upload.fileId === undefined ? undefined : await deps.files.get(owner, upload.fileId);
  if (file?.status === 'uploaded') {
    await deps.steps.send({ v: 1, kind: 'assemble', owner, uploadId: id } satisfies UploadStepMessage);
    return { action: 'resent', nextAtMs: deps.clock.now() + HOUR_MS };
  }
  await deps.objects.removeAll(payloadKeys.piecesOf(owner, id));
  return { action: 'deleted', nextAtMs: undefined };
}
