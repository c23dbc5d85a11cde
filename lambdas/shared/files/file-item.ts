import type { StoredFile } from '../../../core/files/file.ts';
import type { Upload, UploadPart } from '../../../core/files/upload.ts';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { dueAttributes } from '../../../core/sweep/due.ts';
import { type Item, toItem } from '../aws/attribute-value.ts';
import { keyAttributes, listAttributes, recordOf } from '../batches/batch-item.ts';

/** Time after the expiry in which the sweep deletes the bytes and the record, before DynamoDB deletes the record. */
const SWEEP_MS = 2 * 86_400_000;

/** Time after the end of an upload in which a function may still write a part that arrived before. */
const LAST_PART_MS = 15 * 60_000;

/** Writes a file as an item. It is due when it expires. */
export function fileItem(file: StoredFile): Item {
  const key = jobsTableKeys.file(file.owner, file.id);
  return {
    ...keyAttributes(key, file.expiresAtMs + SWEEP_MS),
    ...toItem(dueAttributes(key, file.expiresAtMs)),
    ...listAttributes('file', file),
    ...toItem(file),
  };
}

/** Reads a file that {@link fileItem} wrote. */
export function readFileItem(item: Item): StoredFile {
  // Written by fileItem and by conditional updates of its members only.
  return recordOf(item) as object as StoredFile;
}

/** Writes an upload as an item. It is due when its time is over. */
export function uploadItem(upload: Upload): Item {
  const key = jobsTableKeys.upload(upload.owner, upload.id);
  return {
    ...keyAttributes(key, upload.keptUntilMs),
    ...toItem(dueAttributes(key, upload.expiresAtMs + LAST_PART_MS)),
    ...toItem(upload),
  };
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
