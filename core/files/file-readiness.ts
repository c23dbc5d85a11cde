import type { Clock } from '../clock.ts';
import { AppError } from '../errors.ts';
import type { FileStore, StoredFile } from './file.ts';
import type { FileObjects } from './file-objects.ts';

/** Dependencies of {@link refreshFile}. */
export interface FileReadinessDeps {
  readonly files: Pick<FileStore, 'get' | 'settle'>;
  readonly objects: Pick<FileObjects, 'size'>;
  readonly clock: Clock;
}

/**
 * Looks whether the bytes of a pending file have arrived at its presigned URL.
 *
 * @returns The file as it is now; any other file as it is.
 */
export async function refreshFile(file: StoredFile, { files, objects }: FileReadinessDeps): Promise<StoredFile> {
  if (file.status !== 'pending') return file;
  const arrived = await objects.size(file.payload.key);
  if (arrived !== file.bytes) return file;
  await files.settle(file.owner, file.id, 'processed');
  const { uploadExpiresAtMs, ...settled } = file;
  return { ...settled, status: 'processed' };
}

/**
 * Finds a file that a request names as its input.
 *
 * @param param - Member of the request that names it, for the error.
 * @returns The file; its status is `processed`.
 * @throws AppError `FILE_NOT_FOUND`, `FILE_NOT_READY` until its bytes are uploaded, `UPLOAD_EXPIRED` if they did not
 * arrive in time, `UPLOAD_INCOMPLETE` if they differ from the declared ones.
 */
export async function openFile(
  owner: string,
  id: string,
  deps: FileReadinessDeps,
  param = 'input_file_id',
): Promise<StoredFile> {
  const found = await deps.files.get(owner, id);
  if (found === undefined) throw new AppError('FILE_NOT_FOUND', `${param} names no file of this key`, { param });
  const file = await refreshFile(found, deps);
  if (file.status === 'processed') return file;
  if (file.status === 'error') {
    throw new AppError('UPLOAD_INCOMPLETE', file.statusDetails ?? 'the file differs from its declaration', { param });
  }
  if (isOverdue(file, deps.clock)) {
    throw new AppError('UPLOAD_EXPIRED', 'the bytes of the file did not arrive in time, create it again', { param });
  }
  throw new AppError('FILE_NOT_READY', notReady(file), { param });
}

/** Returns whether the time for uploading a pending file is over. */
export function isOverdue({ uploadExpiresAtMs, status }: StoredFile, clock: Clock): boolean {
  return status === 'pending' && uploadExpiresAtMs !== undefined && clock.now() >= uploadExpiresAtMs;
}

function notReady({ status, bytes }: StoredFile): string {
  return status === 'pending'
    ? `the ${bytes} bytes of the file are not at its upload_url yet`
    : 'the parts of the file are being assembled, try again in a moment';
}
