import type { BatchMerge, BatchRecord } from '../../core/batches/batch-record.ts';
import type { StoredFile } from '../../core/files/file.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import { timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { sha256 } from '../shared/sha256.ts';
import type { StepCall } from './call.ts';
import type { PartName } from './merge-pieces.ts';

/** Returns the id of an output file, which is the same in every step that merges. */
export function outputFileId({ id }: BatchRecord, { startedAtMs }: BatchMerge, part: PartName): string {
  return `file-${timeOrderedId(startedAtMs, Buffer.from(sha256(Buffer.from(`${id}/${part}`)), 'base64url'))}`;
}

/**
 * Creates the records of a batch's output files; a file without a byte there is not.
 *
 * @returns The members of the batch that name them.
 */
export async function createOutputFiles(batch: BatchRecord, merge: BatchMerge, call: StepCall) {
  const output = await createFile(batch, merge, 'output', call);
  const errors = await createFile(batch, merge, 'errors', call);
  return {
    outputFileId: output,
    errorFileId: errors,
  };
}

async function createFile(batch: BatchRecord, merge: BatchMerge, part: PartName, call: StepCall) {
  const { bytes } = merge[part];
  if (bytes === 0) return undefined;
  const { owner } = batch;
  const id = outputFileId(batch, merge, part);
  const expiry = fileExpiry(merge.startedAtMs, call.settings.fileRetentionDays, batch.outputExpiresAfterSeconds);
  const file: StoredFile = {
    owner,
    id,
    filename: `${batch.id}_${part === 'output' ? 'output' : 'error'}.jsonl`,
    purpose: 'batch_output',
    bytes,
    status: 'processed',
    payload: { bucket: call.objects.bucket, key: payloadKeys.file(owner, id) },
    createdAtMs: merge.startedAtMs,
    expiresAtMs: expiry,
  };
  await call.files.create(file);
  return id;
}
