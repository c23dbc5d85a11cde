import type { Clock } from '../clock.ts';
import type { StoredFile } from './file.ts';
import { isOverdue } from './file-readiness.ts';
import type { Upload, UploadPart } from './upload.ts';

/** A file in the format of OpenAI's API. A file that waits for its bytes has additional members. */
export interface OpenAiFile {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  /** Seconds since the Unix epoch, as all times here. */
  readonly created_at: number;
  readonly expires_at: number;
  readonly filename: string;
  readonly purpose: string;
  readonly status: 'pending' | 'uploaded' | 'processed' | 'error';
  readonly status_details?: string;
  /** URL for a PUT of the bytes; returned only when the file is created. */
  readonly upload_url?: string;
  readonly upload_expires_at?: number;
}

/** An upload as OpenAI's API shows one. */
export interface OpenAiUpload {
  readonly id: string;
  readonly object: 'upload';
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly filename: string;
  readonly purpose: string;
  readonly status: 'pending' | 'completed' | 'cancelled' | 'expired';
  readonly file: OpenAiFile | null;
}

/** Returns whole seconds since the Unix epoch. */
export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** Shows a file; a file whose bytes did not arrive in time has the status `error`. */
export function openAiFile(file: StoredFile, clock: Clock, uploadUrl?: string): OpenAiFile {
  const isLate = isOverdue(file, clock);
  const details = isLate ? 'the bytes of the file did not arrive in time' : file.statusDetails;
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: toSeconds(file.createdAtMs),
    expires_at: toSeconds(file.expiresAtMs),
    filename: file.filename,
    purpose: file.purpose,
    status: isLate ? 'error' : file.status,
    status_details: details,
    upload_url: uploadUrl,
    upload_expires_at: file.uploadExpiresAtMs === undefined ? undefined : toSeconds(file.uploadExpiresAtMs),
  };
}

/**
 * Shows an upload; a pending one whose time is over is expired.
 *
 * @param file - The file that it has become.
 */
export function openAiUpload(upload: Upload, clock: Clock, file?: StoredFile): OpenAiUpload {
  const isLate = upload.status === 'pending' && clock.now() >= upload.expiresAtMs;
  return {
    id: upload.id,
    object: 'upload',
    bytes: upload.bytes,
    created_at: toSeconds(upload.createdAtMs),
    expires_at: toSeconds(upload.expiresAtMs),
    filename: upload.filename,
    purpose: upload.purpose,
    status: isLate ? 'expired' : upload.status,
    file: file === undefined ? null : openAiFile(file, clock),
  };
}

/** Shows a part of an upload. */
export function openAiUploadPart({ id, uploadId, createdAtMs }: UploadPart) {
  return { id, object: 'upload.part', created_at: toSeconds(createdAtMs), upload_id: uploadId } as const;
}
