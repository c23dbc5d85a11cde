import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredFile } from '../../../core/files/file.ts';
import type { Upload } from '../../../core/files/upload.ts';
import type { JobDefinition } from '../../../core/jobs/job.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import { tombstoneTime } from '../../../lambdas/shared/batches/batch-item.ts';
import { readItem } from '../../../lambdas/shared/batches/dynamodb-chunk-store.ts';
import { openDynamoDbFileStore } from '../../../lambdas/shared/files/dynamodb-file-store.ts';
import { openDynamoDbUploadStore } from '../../../lambdas/shared/files/dynamodb-upload-store.ts';
import { openS3FileObjects } from '../../../lambdas/shared/files/s3-file-objects.ts';
import { openDynamoDbJobStore } from '../../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { openDynamoDbDueStore } from '../../../lambdas/shared/sweep/dynamodb-due-store.ts';
import { createHandler } from '../../../lambdas/sweep-records/handler.ts';
import { sweepDeleted } from '../../../lambdas/sweep-records/sweep-deleted.ts';
import { sweepFile } from '../../../lambdas/sweep-records/sweep-file.ts';
import { sweepUpload } from '../../../lambdas/sweep-records/sweep-upload.ts';
import {
  JOBS,
  type MovableClock,
  movableClock,
  PAYLOADS,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
} from '../shared/jobs/job-servers.ts';

const HOUR_MS = 3_600_000;
const OWNER = 'key-1';

let tables: Tables;
let servers: QueuesAndBuckets;
let clock: MovableClock;
let serial = 0;

beforeAll(async () => {
  [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
});

afterAll(() => Promise.all([tables.close(), servers.close()]));

beforeEach(() => {
  // S3 dates objects by its own clock.
  clock = movableClock(Date.now());
  serial += 1;
});

function open() {
  const table = { client: tables.client, table: JOBS, clock };
  const s3 = servers.s3 satisfies S3Client;
  const objects = openS3FileObjects({ client: s3, bucket: PAYLOADS });
  const files = openDynamoDbFileStore(table);
  const uploads = openDynamoDbUploadStore(table);
  const sent: unknown[] = [];
  const steps = { send: async (message: unknown) => void sent.push(message), sendAll: async () => undefined };
  const nothing = async () => ({ nextAtMs: undefined });
  const deps = {
    deletionOf: async ({ kind, owner, id }: { kind: string; owner: string; id: string }) =>
      tombstoneTime(await readItem(table, `${kind}/${owner}/${id}`)),
    objects,
    clock,
  };
  const handler = createHandler({
    due: openDynamoDbDueStore(table),
    openSweepers: () => ({
      job: sweepDeleted(nothing, deps),
      batch: sweepDeleted(nothing, deps),
      file: sweepDeleted((due) => sweepFile(due, { files, objects, clock }), deps),
      upload: sweepDeleted((due) => sweepUpload(due, { uploads, files, objects, steps, clock }), deps),
    }),
    clock,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic',
    write: () => undefined,
  });
  const sweepAfter = async (hours: number) => {
    clock.nowMs += hours * HOUR_MS;
    return handler({}, { getRemainingTimeInMillis: () => 240_000 });
  };
  const item = (key: string) => readItem(table, key);
  const exists = async (key: string) => (await objects.size(key)) !== undefined;
  const put = (key: string) => objects.write(key, Buffer.from('bytes'), 'text/plain');
  return { table, objects, files, uploads, jobs: openDynamoDbJobStore(table), sent, sweepAfter, item, exists, put };
}

function file(changes: Partial<StoredFile> = {}): StoredFile {
  const id = changes.id ?? `file-${serial}`;
  return {
    owner: OWNER,
    id,
    filename: 'a.jsonl',
    purpose: 'user_data',
    bytes: 5,
    status: 'processed',
    payload: { bucket: PAYLOADS, key: payloadKeys.file(OWNER, id) },
    createdAtMs: clock.nowMs,
    expiresAtMs: clock.nowMs + HOUR_MS,
    ...changes,
  };
}

function upload(changes: Partial<Upload> = {}): Upload {
  return {
    owner: OWNER,
    id: `upload_${serial}`,
    filename: 'a.jsonl',
    purpose: 'batch',
    mimeType: 'application/jsonl',
    bytes: 5,
    status: 'pending',
    createdAtMs: clock.nowMs,
    expiresAtMs: clock.nowMs + HOUR_MS,
    keptUntilMs: clock.nowMs + 720 * HOUR_MS,
    ...changes,
  };
}

describe('a file', () => {
  it('loses its bytes when it expires, and its record when its presigned URL has ended', async () => {
    const { files, put, sweepAfter, exists, item } = open();
    const stored = file();
    await files.create(stored);
    await put(stored.payload.key);
    await sweepAfter(0.9);
    expect(await exists(stored.payload.key)).toBe(true);
    await sweepAfter(0.2);
    expect(await exists(stored.payload.key)).toBe(false);
    // A transfer that started in time ends after the deletion.
    await put(stored.payload.key);
    await sweepAfter(1);
    expect(await exists(stored.payload.key)).toBe(false);
    expect(await item(`file/${OWNER}/${stored.id}`)).toBeUndefined();
  });

  it('loses bytes that arrive after it was deleted', async () => {
    const { files, put, sweepAfter, exists, item } = open();
    const stored = file({ status: 'pending', expiresAtMs: clock.nowMs + 720 * HOUR_MS });
    await files.create(stored);
    await files.startRemoval(OWNER, stored.id);
    await put(stored.payload.key);
    expect(await files.get(OWNER, stored.id)).toBeUndefined();
    await sweepAfter(0.1);
    await put(stored.payload.key);
    await sweepAfter(2);
    expect(await exists(stored.payload.key)).toBe(false);
    expect(await item(`file/${OWNER}/${stored.id}`)).toBeUndefined();
  });
});

describe('an upload', () => {
  it.each(['pending', 'cancelled'] as const)('loses its parts when its time is over if it is %s', async (status) => {
    const { uploads, put, sweepAfter, exists } = open();
    await uploads.create(upload({ status }));
    const part = payloadKeys.uploadPart(OWNER, `upload_${serial}`, 'part_1');
    await put(part);
    await sweepAfter(1);
    expect(await exists(part)).toBe(true);
    await sweepAfter(0.5);
    expect(await exists(part)).toBe(false);
  });

  it('gets its step again and keeps its parts if they are not one file yet', async () => {
    const { uploads, files, put, sweepAfter, exists, sent } = open();
    const fileId = `file-u${serial}`;
    await uploads.create(upload({ status: 'completed', fileId }));
    await files.create(file({ id: fileId, status: 'uploaded', expiresAtMs: clock.nowMs + 720 * HOUR_MS }));
    const part = payloadKeys.uploadPart(OWNER, `upload_${serial}`, 'part_1');
    await put(part);
    await sweepAfter(1.5);
    expect(sent).toEqual([{ v: 1, kind: 'assemble', owner: OWNER, uploadId: `upload_${serial}` }]);
    expect(await exists(part)).toBe(true);
    await files.settle(OWNER, fileId, 'processed');
    await sweepAfter(1.1);
    expect(await exists(part)).toBe(false);
  });
});

describe('a deleted job', () => {
  it('loses what its worker wrote after the deletion, and not the input of a new job with the id', async () => {
    const { jobs, put, sweepAfter, exists } = open();
    const job: JobDefinition = {
      owner: OWNER,
      id: `job_${serial}`,
      hash: 'h',
      endpoint: '/v1/embeddings',
      model: 'words',
      via: 'http',
      createdAtMs: clock.nowMs,
      expiresAtMs: clock.nowMs + 168 * HOUR_MS,
      destinations: {},
    };
    await jobs.create(job);
    await jobs.cancel(job);
    const input = payloadKeys.jobInput(job, 'h');
    await put(input);
    clock.nowMs = Date.now() + 1000;
    await jobs.remove(job);
    // The request ended before it deleted the objects.
    await sweepAfter(0);
    expect(await exists(input)).toBe(false);
    const late = payloadKeys.jobResult(job, 'attempt');
    await put(late);
    await sweepAfter(2.1);
    expect(await exists(late)).toBe(false);
    await jobs.create({ ...job, createdAtMs: clock.nowMs });
    await put(input);
    await sweepAfter(3);
    expect(await exists(input)).toBe(true);
  });
});
