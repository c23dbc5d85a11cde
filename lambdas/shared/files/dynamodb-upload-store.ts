import type { UploadStore } from '../../../core/files/upload.ts';
import { jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { putNew, readItems, updateItem } from '../batches/batch-table.ts';
import { type DynamoDbStoreOptions, readItem } from '../batches/dynamodb-chunk-store.ts';
import { putCounted } from '../batches/put-counted.ts';
import { readUploadItem, readUploadPartItem, uploadItem, uploadPartItem } from './file-item.ts';

/**
 * Opens the records of uploads in the jobs table.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if the table does not respond.
 */
export function openDynamoDbUploadStore(options: DynamoDbStoreOptions): UploadStore {
  return {
    get: async (owner, id) => {
      const item = await readItem(options, jobsTableKeys.upload(owner, id));
      return item === undefined ? undefined : readUploadItem(item);
    },
    create: async (upload, budgets) => {
      const { owner, id, bytes } = upload;
      const charge = { storedBytes: bytes, opens: { kind: 'openUploads', id } } as const;
      await putCounted(options, { owner, item: uploadItem(upload), charge, budgets });
    },
    reservePart: async (owner, id, bytes, most) => {
      const { isDone } = await updateItem(options, jobsTableKeys.upload(owner, id), {
        add: { receivedBytes: bytes, receivedParts: 1 },
        expectOneOf: { status: ['pending'] },
        expectAtMost: { receivedBytes: most.bytes - bytes, receivedParts: most.parts - 1 },
      });
      return isDone;
    },
    change: async (owner, id, { set, statusIn, expect }) => {
      const spec = { set, expectOneOf: { status: statusIn }, expect };
      const { isDone, item } = await updateItem(options, jobsTableKeys.upload(owner, id), spec);
      return { isDone, upload: item === undefined ? undefined : readUploadItem(item) };
    },
    addPart: async (part, keptUntilMs) => {
      await putNew(options, uploadPartItem(part, keptUntilMs), options.clock.now());
    },
    readParts: async (uploadId, ids) => {
      const items = await readItems(
        options,
        ids.map((id) => jobsTableKeys.uploadPart(uploadId, id)),
      );
      return new Map([...items.values()].map(readUploadPartItem).map((part) => [part.id, part]));
    },
  };
}
