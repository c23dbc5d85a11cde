import { AppError } from '../../../core/errors.ts';
import { assemble, type Pieces } from '../../../core/files/assemble.ts';
import type { AssemblyState } from '../../../core/files/assembly.ts';
import type { FileStore } from '../../../core/files/file.ts';
import type { FileObjects } from '../../../core/files/file-objects.ts';
import type { ResumableMd5 } from '../../../core/files/resumable-md5.ts';
import type { ListedPart, Upload, UploadStore } from '../../../core/files/upload.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';

/** Dependencies of {@link assembleUpload}. */
export interface AssembleUploadDeps {
  readonly uploads: UploadStore;
  readonly files: Pick<FileStore, 'get' | 'settle'>;
  readonly objects: FileObjects;
  readonly openMd5: () => Promise<ResumableMd5>;
  /** Whether there is time for another part. */
  readonly hasTime: () => boolean;
}

/** Name of the object that lists the parts of a completed upload. */
const PART_LIST = 'parts.json';

/** Maximum bytes of a part in one read. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/** Maximum size of the list of parts in bytes; ten thousand parts take half a megabyte. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** Stores the list of parts with them, for the steps that assemble them. */
export async function writePartList(
  { owner, id }: Pick<Upload, 'owner' | 'id'>,
  parts: readonly ListedPart[],
  objects: FileObjects,
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(parts));
  await objects.write(payloadKeys.uploadPart(owner, id, PART_LIST), bytes, 'application/json');
}

/**
 * Assembles the parts of a completed upload as far as the time allows, and settles its file once it is complete: it
 * can be used, or its sum is not the one that was declared.
 *
 * @returns How the file stands now.
 * @throws AppError `UNAVAILABLE` if a service does not respond. A later call resumes.
 */
export async function assembleUpload(
  upload: Upload,
  deps: AssembleUploadDeps,
): Promise<'uploaded' | 'processed' | 'error'> {
  const { owner, id, fileId, assembly } = upload;
  if (fileId === undefined || assembly === undefined)
    throw new AppError('UPLOAD_INCOMPLETE', 'the upload is not completed');
  if ((await deps.files.get(owner, fileId)) === undefined) return discard(upload, deps);
  const reached = await putTogether(upload, fileId, assembly, deps);
  if (!reached.done) return 'uploaded';
  const isRight = upload.md5 === undefined || upload.md5 === (await digestOf(reached, deps));
  const details = isRight ? undefined : 'the MD5 hash of the parts differs from the declared one';
  await deps.files.settle(owner, fileId, isRight ? 'processed' : 'error', details);
  if (!isRight) await deps.objects.remove(payloadKeys.file(owner, fileId));
  await deps.objects.removeAll(payloadKeys.piecesOf(owner, id));
  // The file may have been deleted while its last part was written.
  if (isRight && (await deps.files.get(owner, fileId)) === undefined) return discard(upload, deps);
  return isRight ? 'processed' : 'error';
}

/** Deletes the bytes of an upload whose file was deleted. */
async function discard(
  { owner, id, fileId = '', assembly }: Upload,
  { objects }: AssembleUploadDeps,
): Promise<'error'> {
  const key = payloadKeys.file(owner, fileId);
  if (assembly?.uploadId !== undefined) await objects.abort(key, assembly.uploadId);
  await objects.remove(key);
  await objects.removeAll(payloadKeys.piecesOf(owner, id));
  return 'error';
}

/** @returns Undefined if no MD5 was requested. */
async function digestOf({ md5: state }: AssemblyState, { openMd5 }: AssembleUploadDeps): Promise<string | undefined> {
  if (state === undefined) return undefined;
  return (await openMd5()).digest(state);
}

async function putTogether(
  upload: Upload,
  fileId: string,
  assembly: AssemblyState,
  deps: AssembleUploadDeps,
): Promise<AssemblyState> {
  const { owner, id, mimeType } = upload;
  return assemble(assembly, {
    objects: deps.objects,
    key: payloadKeys.file(owner, fileId),
    contentType: mimeType,
    pieces: await openParts(upload, deps),
    openMd5: deps.openMd5,
    hasTime: deps.hasTime,
    save: async (state) => {
      const { upload: after } = await deps.uploads.change(owner, id, {
        set: { assembly: state },
        statusIn: ['completed'],
        expect: { 'assembly.step': state.step - 1 },
      });
      if (after?.assembly === undefined) throw new AppError('UPLOAD_NOT_FOUND', 'the upload is gone');
      return after.assembly;
    },
  });
}

async function openParts({ owner, id }: Upload, { objects }: AssembleUploadDeps): Promise<Pieces> {
  const list = await objects.read(payloadKeys.uploadPart(owner, id, PART_LIST), 0, MAX_LIST_BYTES);
  if (list === undefined) throw new AppError('UPLOAD_INCOMPLETE', 'the parts of the upload are gone');
  // Written by writePartList only.
  const parts = JSON.parse(Buffer.from(list.bytes).toString()) as readonly ListedPart[];
  return {
    count: parts.length,
    read: async (index, offset) => {
      const [partId = ''] = parts[index] ?? [];
      const slice = await objects.read(payloadKeys.uploadPart(owner, id, partId), offset, offset + WINDOW_BYTES);
      if (slice === undefined) throw new AppError('UPLOAD_INCOMPLETE', 'a part of the upload is gone');
      return { bytes: slice.bytes, isLast: offset + slice.bytes.length >= slice.total };
    },
  };
}
