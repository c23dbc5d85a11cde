import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../manual-clock.ts';
import { startS3, type TestS3 } from './s3-server.ts';

const Bucket = 'files';
const MIN_PART = 5_242_880;

const clock = new ManualClock(Date.parse('2026-11-24T10:00:00Z'));
let s3: TestS3;

beforeAll(async () => {
  const rules = [{ prefix: '', expirationDays: undefined, abortUploadDays: 2 }];
  s3 = await startS3({
    clock,
    buckets: { [Bucket]: rules },
    principals: { WRITER: [{ Effect: 'Allow', Action: 's3:PutObject', Resource: '*' }] },
  });
});

afterAll(() => s3.close());

async function begin(key: string, more: object = {}): Promise<{ Bucket: string; Key: string; UploadId: string }> {
  const { UploadId: id = '' } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key: key, ...more }));
  return { Bucket, Key: key, UploadId: id };
}

type Upload = Awaited<ReturnType<typeof begin>>;

async function part(upload: Upload, number: number, bytes: Uint8Array | string) {
  const sent = await s3.client.send(new UploadPartCommand({ ...upload, PartNumber: number, Body: bytes }));
  return { PartNumber: number, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32 };
}

function complete(upload: Upload, parts: object[]) {
  return s3.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }));
}

async function read(key: string, range?: string) {
  const { Body: body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: key, Range: range }));
  return Buffer.from((await body?.transformToByteArray()) ?? []);
}

async function fileCount(): Promise<number> {
  return (await readdir(s3.folder, { recursive: true })).length;
}

describe('an upload in parts', () => {
  it('creates one object from the listed parts, in their order, with the tag of S3', async () => {
    const upload = await begin('whole', { ContentType: 'application/jsonl', Metadata: { a: '1' } });
    const blocks = ['a', 'b'].map((char) => Buffer.alloc(MIN_PART, char));
    const last = Buffer.from('the end');
    const unused = await part(upload, 3, 'not used');
    const parts = [
      await part(upload, 2, blocks[0] ?? ''),
      await part(upload, 7, blocks[1] ?? ''),
      await part(upload, 10_000, last),
    ];
    const { ETag: etag, Key: key, Bucket: bucket } = await complete(upload, parts);
    const sums = [...blocks, last].map((bytes) => createHash('md5').update(bytes).digest());
    const sum = createHash('md5').update(Buffer.concat(sums)).digest('hex');
    expect({ etag, key, bucket }).toEqual({ etag: `"${sum}-3"`, key: 'whole', bucket: Bucket });
    expect((await read('whole')).equals(Buffer.concat([...blocks, last]))).toBe(true);
    expect((await read('whole', `bytes=${MIN_PART - 1}-${MIN_PART}`)).toString()).toBe('ab');
    expect((await read('whole', `bytes=${2 * MIN_PART - 1}-`)).toString()).toBe('bthe end');
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'whole' }));
    expect(head).toMatchObject({ ContentType: 'application/jsonl', Metadata: { a: '1' } });
    expect(unused.ETag).toBeDefined();
    await expect(complete(upload, parts)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('is not visible before it is complete', async () => {
    const upload = await begin('unseen');
    await part(upload, 1, 'x');
    await expect(read('unseen')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('takes the last of several parts with one number, and lists its parts', async () => {
    const upload = await begin('listed');
    await part(upload, 2, 'first');
    await part(upload, 2, 'second');
    await part(upload, 1, 'one');
    const listed = await s3.client.send(new ListPartsCommand(upload));
    expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 3],
      [2, 6],
    ]);
    const page = await s3.client.send(new ListPartsCommand({ ...upload, MaxParts: 1 }));
    expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '1' });
    const next = await s3.client.send(new ListPartsCommand({ ...upload, PartNumberMarker: '1' }));
    expect(next.Parts?.map(({ PartNumber: number }) => number)).toEqual([2]);
  });

  it('accepts parts from other objects', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'zero one two' }));
    const upload = await begin('copied');
    const copy = { ...upload, PartNumber: 1, CopySource: `${Bucket}/source`, CopySourceRange: 'bytes=5-7' };
    const { CopyPartResult: result } = await s3.client.send(new UploadPartCopyCommand(copy));
    await complete(upload, [{ PartNumber: 1, ETag: result?.ETag }]);
    expect((await read('copied')).toString()).toBe('one');
    const writer = s3.clientOf('WRITER').send(new UploadPartCopyCommand(copy));
    await expect(writer).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  it('leaves nothing behind when it is aborted, nor when it is not completed in time', async () => {
    const before = await fileCount();
    const aborted = await begin('aborted');
    await part(aborted, 1, 'x');
    expect(await fileCount()).toBe(before + 1);
    await s3.client.send(new AbortMultipartUploadCommand(aborted));
    expect(await fileCount()).toBe(before);
    await expect(part(aborted, 2, 'x')).rejects.toMatchObject({ name: 'NoSuchUpload' });
    const forgotten = await begin('forgotten');
    await part(forgotten, 1, 'x');
    clock.nowMs += 2 * 86_400_000;
    await expect(part(forgotten, 2, 'x')).rejects.toMatchObject({ name: 'NoSuchUpload' });
    await s3.engine.sweep();
    expect(await fileCount()).toBeLessThanOrEqual(before);
  });

  it('has the checksum of its parts when one was chosen, and requires it for each', async () => {
    const upload = await begin('summed', { ChecksumAlgorithm: 'CRC32' });
    const parts = [await part(upload, 1, 'x')];
    await expect(complete(upload, [{ PartNumber: 1, ETag: parts[0]?.ETag }])).rejects.toMatchObject({
      name: 'InvalidRequest',
    });
    const wrong = { ...parts[0], ChecksumCRC32: 'AAAAAA==' };
    await expect(complete(upload, [wrong])).rejects.toMatchObject({ name: 'InvalidPart' });
    const { ChecksumCRC32: sum } = await complete(upload, parts);
    expect(sum).toMatch(/^[\w+/]{6}==-1$/);
    const command = new GetObjectCommand({ Bucket, Key: 'summed', ChecksumMode: 'ENABLED' });
    expect((await s3.client.send(command)).ChecksumCRC32).toBe(sum);
    const whole = begin('whole', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' });
    await expect(whole).rejects.toMatchObject({ name: 'NotImplemented' });
  });
});

describe('completing an upload', () => {
  it('fails with InvalidPart when a part is absent or another', async () => {
    const upload = await begin('invalid');
    const first = await part(upload, 1, 'x');
    await expect(complete(upload, [first, { ...first, PartNumber: 2 }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await part(upload, 1, 'y');
    await expect(complete(upload, [first])).rejects.toMatchObject({ name: 'InvalidPart' });
    await complete(upload, [await part(upload, 1, 'x')]);
    expect((await read('invalid')).toString()).toBe('x');
  });

  it('fails with InvalidPartOrder when numbers do not rise', async () => {
    const upload = await begin('order');
    const parts = [await part(upload, 2, 'b'), await part(upload, 1, 'a')];
    await expect(complete(upload, parts)).rejects.toMatchObject({ name: 'InvalidPartOrder' });
  });

  it('fails with EntityTooSmall when a part before the last has less than 5 MiB', async () => {
    const upload = await begin('small');
    const parts = [await part(upload, 1, Buffer.alloc(MIN_PART - 1)), await part(upload, 2, 'end')];
    await expect(complete(upload, parts)).rejects.toMatchObject({ name: 'EntityTooSmall' });
  });

  it('fails with MalformedXML when it names no parts', async () => {
    const upload = await begin('none');
    await expect(complete(upload, [])).rejects.toMatchObject({ name: 'MalformedXML' });
    await expect(complete(upload, [{ PartNumber: 1 }])).rejects.toMatchObject({ name: 'MalformedXML' });
  });

  it('fails with PreconditionFailed when the object is there already and may not be', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'there', Body: 'x' }));
    const upload = await begin('there');
    const parts = [await part(upload, 1, 'y')];
    const command = { ...upload, IfNoneMatch: '*', MultipartUpload: { Parts: parts } };
    const completion = s3.client.send(new CompleteMultipartUploadCommand(command));
    await expect(completion).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await read('there')).toString()).toBe('x');
  });
});

describe('a part', () => {
  it('fails with InvalidArgument when its number is not from 1 to 10,000', async () => {
    const upload = await begin('numbers');
    for (const number of [0, 10_001]) {
      await expect(part(upload, number, 'x')).rejects.toMatchObject({ name: 'InvalidArgument' });
    }
  });

  it('fails with NoSuchUpload when the upload is of another key', async () => {
    const upload = await begin('mine');
    await expect(part({ ...upload, Key: 'yours' }, 1, 'x')).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('needs permissions of its own to be listed and to be given up', async () => {
    const upload = await begin('denied');
    const writer = s3.clientOf('WRITER');
    await writer.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'x' }));
    await expect(writer.send(new ListPartsCommand(upload))).rejects.toMatchObject({
      message: expect.stringContaining('s3:ListMultipartUploadParts'),
    });
    await expect(writer.send(new AbortMultipartUploadCommand(upload))).rejects.toMatchObject({
      message: expect.stringContaining('s3:AbortMultipartUpload'),
    });
  });
});

describe('a list of uploads in parts', () => {
  it('names those under a prefix that have not ended, page by page', async () => {
    const uploads = [await begin('listed/a'), await begin('listed/b'), await begin('listed/b')];
    await begin('other');
    const list = (more: object = {}) =>
      s3.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'listed/', MaxUploads: 2, ...more }));
    const first = await list();
    expect(first.IsTruncated).toBe(true);
    const second = await list({ KeyMarker: first.NextKeyMarker, UploadIdMarker: first.NextUploadIdMarker });
    expect(second.IsTruncated).toBe(false);
    const found = [...(first.Uploads ?? []), ...(second.Uploads ?? [])];
    expect(found.map(({ Key, UploadId }) => `${Key} ${UploadId}`).sort()).toEqual(
      uploads.map(({ Key, UploadId }) => `${Key} ${UploadId}`).sort(),
    );
    for (const upload of uploads) await s3.client.send(new AbortMultipartUploadCommand(upload));
    expect((await list()).Uploads ?? []).toEqual([]);
  });
});
