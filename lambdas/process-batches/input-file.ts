import type { BatchRecord } from '../../core/batches/batch-record.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { BatchDeps } from './call.ts';

/** Returns where the bytes of a batch's input file are. The id of a file determines its key. */
export function inputOf(
  { owner, inputFileId }: BatchRecord,
  { objects }: Pick<BatchDeps, 'objects'>,
): PayloadReference {
  return { bucket: objects.bucket, key: payloadKeys.file(owner, inputFileId) };
}
