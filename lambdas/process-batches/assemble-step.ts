import type { UploadStepMessage } from '../../core/files/upload.ts';
import { assembleUpload } from '../shared/files/assemble-upload.ts';
import type { StepCall } from './call.ts';

/** Puts the parts of a completed upload together, as far as the time reaches; then a new step goes on. */
export async function assembleStep({ owner, uploadId }: UploadStepMessage, call: StepCall): Promise<void> {
  const upload = await call.uploads.get(owner, uploadId);
  if (upload?.status !== 'completed' || upload.fileId === undefined) return;
  const file = await call.files.get(owner, upload.fileId);
  // Gone: its owner deleted it. Settled: another step was quicker.
  if (file?.status !== 'uploaded') return;
  const status = await assembleUpload(upload, call);
  if (status !== 'uploaded') return;
  await call.steps.send({ v: 1, kind: 'assemble', owner, uploadId } satisfies UploadStepMessage);
}
