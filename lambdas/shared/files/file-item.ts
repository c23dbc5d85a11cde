import type { StoredFile } from '../../../core/files/file.ts';
import type { Upload, UploadPart } from '../../../core/files/upload.ts';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { keyAttributes, listAttributes, recordOf } from '../batches/batch-item.ts';

/** Writes a file as an item. */
export function fileItem(file: StoredFile): Item {
  return {
    ...keyAttributes(jobsTableKeys.file(file.owner, file.id), file.expiresAtMs),
    ...listAttributes('file', file),
    ...toItem(file),
  };
}

/** Reads a file that {@link fileItem} wrote. */
export function readFileItem(item: Item): StoredFile {
  // Written by fileItem and by conditional updates of its members only.
  return recordOf(item) as object as StoredFile;
}

/** Writes an upload as an item. */
export function uploadItem(upload: Upload): Item {
  return { ...keyAttributes(jobsTableKeys.upload(upload.owner, upload.id), upload.keptUntilMs), ...toItem(upload) };
}

/** Reads an upload that {@link uploadItem} wrote. */
export function readUploadItem(item: Item): Upload {
  return recordOf(item) as object as Upload;
}

/** Writes a part of an upload as an item. */
export function uploadPartItem(part: UploadPart, keptUntilMs: number): Item {
  return { ...keyAttributes(jobsTableKeys.uploadPart(part.uploadId, part.id), keptUntilMs), ...toItem(part) };
}

/** Reads a part that {@link uploadPartItem} wrote. */
export function readUploadPartItem(item: Item): UploadPart {
  return recordOf(item) as object as UploadPart;
}
