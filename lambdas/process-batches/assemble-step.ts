import type { UploadStepMessage } from '../../core/files/upload.ts';
import { assembleUpload } from '../shared/files/assemble-upload.ts';
import type { StepCall } from './call.ts';

/** Assembles the parts of a completed upload until time runs out. The next step does the rest. */
export async function assembleStep({ owner, uploadId }: UploadStepMessage, call: StepCall): Promise<void> {
  const upload = await call.uploads.get(owner, uploadId);
  if (upload?.status !== 'completed' || upload.fileId === undefined) return;
  const file = await call.files.get(owner, upload.fileId);
  // The owner deleted the file, or another step has settled it.
  if (file?.status !== 'uploaded') return;
  const status = await assembleUpload(upload, call);
  if (status !== 'uploaded') return;
  await call.steps.send({ v: 1, kind: 'assemble', owner, uploadId } satisfies UploadStepMessage);
}
