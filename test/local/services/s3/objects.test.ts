import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { crc32 } from 'node:zlib';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../manual-clock.ts';
import { startS3, type TestS3 } from './s3-server.ts';

const Bucket = 'files';
const TEXT = 'zero one two three';
const START_MS = Date.parse('2026-11-24T10:00:00.500Z');
const MIB = 1_048_576;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const clock = new ManualClock(START_MS);
let s3: TestS3;

beforeAll(async () => {
  const rules = [{ prefix: 'short/', expirationDays: 2, abortUploadDays: undefined }];
  s3 = await startS3({
    clock,
    buckets: { [Bucket]: rules, others: [] },
    principals: {
      READER: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::files/open/*' }],
      LISTER: [
        { Effect: 'Allow', Action: 's3:ListBucket', Resource: 'arn:aws:s3:::files' },
        { Effect: 'Allow', Action: ['s3:GetObject', 's3:DeleteObject'], Resource: 'arn:aws:s3:::files/open/*' },
        { Effect: 'Deny', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::files/open/kept' },
      ],
      PREFIXED: [
        {
          Effect: 'Allow',
          Action: 's3:ListBucket',
          Resource: 'arn:aws:s3:::files',
          Condition: { StringLike: { 's3:prefix': ['open/*'] } },
        },
        { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::files/open/*' },
      ],
    },
  });
});

afterAll(() => s3.close());

function put(key: string, body: string | Uint8Array | Readable = TEXT, more: object = {}) {
  return s3.client.send(new PutObjectCommand({ Bucket, Key: key, Body: body, ...more }));
}

async function get(key: string, more: object = {}) {
  const answer = await s3.client.send(new GetObjectCommand({ Bucket, Key: key, ...more }));
  return { ...answer, text: await answer.Body?.transformToString() };
}

/** Name and status of the error that a call ends with. */
async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no failure';
  } catch (error) {
    const { name, $metadata: metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return `${name} ${metadata?.httpStatusCode}`;
  }
}

function sign(path: string, init: RequestInit & { duplex?: 'half' } = {}) {
  const headers = {
    authorization: 'AWS4-HMAC-SHA256 Credential=local/20261124/us-east-1/s3/aws4_request, SignedHeaders=host',
    ...(init.headers as Record<string, string> | undefined),
  };
  return fetch(`${s3.url}${path}`, { ...init, headers });
}

describe('objects', () => {
  it('are returned as they were written, with their headers and checksums', async () => {
    const written = await put('a/b c+d/ü?.txt', TEXT, {
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'no-store',
      Metadata: { owner: 'me' },
    });
    const etag = `"${createHash('md5').update(TEXT).digest('hex')}"`;
    expect(written).toMatchObject({ ETag: etag, ServerSideEncryption: 'AES256' });
    const read = await get('a/b c+d/ü?.txt', { ChecksumMode: 'ENABLED' });
    expect(read).toMatchObject({
      text: TEXT,
      ETag: etag,
      ContentLength: TEXT.length,
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'no-store',
      AcceptRanges: 'bytes',
      LastModified: new Date('2026-11-24T10:00:00Z'),
      Metadata: { owner: 'me' },
      ChecksumCRC32: read.ChecksumCRC32,
    });
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(TEXT));
    expect(read.ChecksumCRC32).toBe(sum.toString('base64'));
  });

  it('may be empty, and may have a key that looks like a path upwards', async () => {
    await put('up/../down/./x', '');
    expect(await get('up/../down/./x')).toMatchObject({ ContentLength: 0, text: '' });
    const { Contents: contents } = await s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'up/' }));
    expect(contents?.map(({ Key: key }) => key)).toEqual(['up/../down/./x']);
  });

  it('return the same to a HEAD request, without their bytes', async () => {
    await put('head', TEXT, { ContentType: 'text/plain' });
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'head' }));
    expect(head).toMatchObject({ ContentLength: TEXT.length, ContentType: 'text/plain' });
    expect(await failure(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'absent' })))).toBe('NotFound 404');
  });

  it('are returned with the headers that the reader requests', async () => {
    await put('named', TEXT, { ContentDisposition: 'inline' });
    const read = await get('named', {
      ResponseContentDisposition: 'attachment; filename="x.txt"',
      ResponseContentType: 'application/x-ndjson',
    });
    expect(read).toMatchObject({
      ContentDisposition: 'attachment; filename="x.txt"',
      ContentType: 'application/x-ndjson',
    });
    expect((await get('named')).ContentDisposition).toBe('inline');
  });

  it('are replaced as a whole while an earlier reader continues with the old bytes', async () => {
    await put('replaced', Buffer.alloc(4 * MIB, 'a'));
    const { Body: old } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'replaced' }));
    await put('replaced', 'new');
    const bytes = await old?.transformToByteArray();
    expect(bytes?.length).toBe(4 * MIB);
    expect(bytes?.every((byte) => byte === 97)).toBe(true);
    expect((await get('replaced')).text).toBe('new');
  });

  it('disappear when they are deleted, and deleting a missing object is not an error', async () => {
    await put('gone');
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'gone' }));
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'gone' }));
    expect(await failure(get('gone'))).toBe('NoSuchKey 404');
  });

  it('leave no bytes behind when they are deleted', async () => {
    const count = async () => (await readdir(s3.folder, { recursive: true })).length;
    const before = await count();
    await put('counted', Buffer.alloc(MIB));
    expect(await count()).toBe(before + 1);
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'counted' }));
    expect(await count()).toBe(before);
  });

  it('are copied with their headers, or with others', async () => {
    await put('from ü', TEXT, { ContentType: 'text/plain', Metadata: { a: '1' } });
    const source = { Bucket, CopySource: `${Bucket}/${encodeURIComponent('from ü')}` };
    await s3.client.send(new CopyObjectCommand({ ...source, Key: 'copy' }));
    expect(await get('copy')).toMatchObject({ text: TEXT, ContentType: 'text/plain', Metadata: { a: '1' } });
    const replace = { MetadataDirective: 'REPLACE', ContentType: 'text/html' } as const;
    await s3.client.send(new CopyObjectCommand({ ...source, ...replace, Key: 'copy' }));
    expect(await get('copy')).toMatchObject({ text: TEXT, ContentType: 'text/html', Metadata: {} });
  });

  it('expire after the days of a lifecycle rule, if they are below its prefix', async () => {
    await put('short/a');
    await put('long/a');
    clock.nowMs += 2 * 86_400_000 - 1;
    expect((await get('short/a')).text).toBe(TEXT);
    clock.nowMs += 1;
    expect(await failure(get('short/a'))).toBe('NoSuchKey 404');
    const { Contents: contents } = await s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'short/' }));
    expect(contents).toBeUndefined();
    expect((await get('long/a')).text).toBe(TEXT);
    const files = async () => (await readdir(s3.folder, { recursive: true })).length;
    const before = await files();
    await s3.engine.sweep();
    expect(await files()).toBe(before - 1);
    clock.nowMs = START_MS;
  });
});

describe('ranges', () => {
  beforeAll(async () => {
    await put('range');
  });

  it.each([
    ['bytes=0-3', 'zero', 'bytes 0-3/18'],
    ['bytes=13-', 'three', 'bytes 13-17/18'],
    ['bytes=-5', 'three', 'bytes 13-17/18'],
    ['bytes=13-99', 'three', 'bytes 13-17/18'],
    ['bytes=-99', TEXT, 'bytes 0-17/18'],
  ])('select, for %s, %s', async (range, text, contentRange) => {
    expect(await get('range', { Range: range })).toMatchObject({
      text,
      ContentRange: contentRange,
      ContentLength: text.length,
      $metadata: { httpStatusCode: 206 },
    });
  });

  it.each(['bytes=4-2', 'lines=1-2', 'bytes=0-1,3-4', 'bytes=-'])('are passed over as in %s', async (range) => {
    const read = await get('range', { Range: range });
    expect(read).toMatchObject({ text: TEXT, $metadata: { httpStatusCode: 200 } });
  });

  it('fail with InvalidRange when the object ends before', async () => {
    expect(await failure(get('range', { Range: 'bytes=18-' }))).toBe('InvalidRange 416');
    await put('empty', '');
    expect(await failure(get('empty', { Range: 'bytes=0-3' }))).toBe('InvalidRange 416');
  });
});

describe('conditions', () => {
  it('keep a write from replacing an existing object', async () => {
    await put('once', TEXT, { IfNoneMatch: '*' });
    expect(await failure(put('once', 'x', { IfNoneMatch: '*' }))).toBe('PreconditionFailed 412');
    const { ETag: etag } = await put('once', 'y', { IfMatch: (await get('once')).ETag });
    expect(await failure(put('once', 'z', { IfMatch: '"0"' }))).toBe('PreconditionFailed 412');
    expect(await failure(put('never', 'z', { IfMatch: etag }))).toBe('NoSuchKey 404');
    expect((await get('once')).text).toBe('y');
  });

  it('keep a reader from receiving bytes that it has', async () => {
    const { ETag: etag } = await put('read');
    expect(await failure(get('read', { IfNoneMatch: etag }))).toMatch(/304$/);
    expect((await get('read', { IfMatch: etag })).text).toBe(TEXT);
    expect(await failure(get('read', { IfMatch: '"0"' }))).toBe('PreconditionFailed 412');
    expect(await failure(get('read', { IfModifiedSince: new Date(START_MS) }))).toMatch(/304$/);
    expect(await failure(get('read', { IfUnmodifiedSince: new Date(0) }))).toBe('PreconditionFailed 412');
  });
});

/** Bytes of buffers that are still in use: garbage is collected first, twice because buffers are freed a turn later. */
async function heldBytes(): Promise<number> {
  collectGarbage();
  await setImmediate();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

describe('uploads', () => {
  it('come in chunks with a checksum behind them, from a stream', async () => {
    const chunks = ['a'.repeat(70_000), 'b'.repeat(3), 'c'.repeat(90_000)];
    await put('stream', Readable.from(chunks.map((chunk) => Buffer.from(chunk))), { ContentLength: 160_003 });
    const read = await get('stream', { ChecksumMode: 'ENABLED' });
    expect(read.text).toBe(chunks.join(''));
    expect(read.ContentEncoding).toBeUndefined();
    expect(read.ChecksumCRC32).toBeDefined();
  });

  it('hold a hundred mebibytes without holding them in memory', async () => {
    const block = Buffer.alloc(MIB, 'x');
    const held: Record<'up' | 'down', number[]> = { up: [], down: [] };
    async function* hundred() {
      for (let index = 0; index < 100; index += 1) {
        if (index % 10 === 0) held.up.push(await heldBytes());
        yield block;
      }
    }
    await put('large', Readable.from(hundred()), { ContentLength: 100 * MIB });
    const { Body: body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
    let bytes = 0;
    for await (const chunk of body as Readable) {
      if (bytes >= held.down.length * 10 * MIB) held.down.push(await heldBytes());
      bytes += (chunk as Buffer).length;
    }
    expect(bytes).toBe(100 * MIB);
    // Client, server and engine live in this process. Bytes on their way come and go. Bytes that stay are in each of the last
    // samples: 70 MiB more than in the first ones if all of them stayed.
    for (const samples of [held.up, held.down]) {
      expect(samples).toHaveLength(10);
      expect(Math.min(...samples.slice(-3)) - Math.min(...samples.slice(0, 3))).toBeLessThan(0.5 * 70 * MIB);
    }
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'large' }));
  });

  it('fail with BadDigest when the bytes are others, and leave what was there', async () => {
    await put('checked', 'before');
    expect(await failure(put('checked', 'x', { ChecksumCRC32: 'AAAAAA==' }))).toBe('BadDigest 400');
    expect(await failure(put('checked', 'x', { ContentMD5: Buffer.alloc(16).toString('base64') }))).toBe(
      'BadDigest 400',
    );
    expect(await failure(put('checked', 'x', { ContentMD5: 'short' }))).toBe('InvalidDigest 400');
    const headers = { 'x-amz-content-sha256': '0'.repeat(64) };
    const answer = await sign('/files/checked', { method: 'PUT', body: 'x', headers });
    expect(await answer.text()).toContain('<Code>XAmzContentSHA256Mismatch</Code>');
    expect((await get('checked')).text).toBe('before');
  });

  it('keep SHA-256 sums that were asked for', async () => {
    await put('sha', TEXT, { ChecksumAlgorithm: 'SHA256' });
    const { ChecksumSHA256: sum } = await get('sha', { ChecksumMode: 'ENABLED' });
    expect(sum).toBe(createHash('sha256').update(TEXT).digest('base64'));
  });

  it('fail with IncompleteBody or InvalidRequest when chunks are cut or malformed', async () => {
    const send = (body: string, length = 4) =>
      sign('/files/chunked', {
        method: 'PUT',
        body,
        headers: {
          'content-encoding': 'gzip, aws-chunked',
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': String(length),
        },
      });
    const code = async (answer: Promise<Response>) => /<Code>(\w+)</.exec(await (await answer).text())?.[1];
    expect(await code(send('4\r\nab'))).toBe('IncompleteBody');
    expect(await code(send('4\r\nabcd\r\n'))).toBe('IncompleteBody');
    expect(await code(send('2\r\nab\r\n0\r\n\r\n'))).toBe('IncompleteBody');
    expect(await code(send('5\r\nabcde\r\n0\r\n\r\n'))).toBe('IncompleteBody');
    expect(await code(send('4\r\nabcdef\r\n0\r\n\r\n'))).toBe('InvalidRequest');
    expect(await code(send('x\r\nabcd\r\n0\r\n\r\n'))).toBe('InvalidRequest');
    expect(await code(send('x'.repeat(20_000)))).toBe('InvalidRequest');
    const trailer = '4;chunk-signature=0\r\nabcd\r\n0\r\nx-amz-trailer-signature:0\r\n';
    expect((await send(trailer)).status).toBe(200);
    expect((await get('chunked')).ContentEncoding).toBe('gzip');
  });

  it('fail with MissingContentLength without a length, and with EntityTooLarge beyond 5 GiB', async () => {
    const body = Readable.toWeb(Readable.from([Buffer.from('x')])) as ReadableStream;
    const answer = await sign('/files/endless', { method: 'PUT', body, duplex: 'half' });
    expect(answer.status).toBe(411);
    expect(await answer.text()).toContain('<Code>MissingContentLength</Code>');
    const headers = { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '5368709121' };
    const large = await sign('/files/large', { method: 'PUT', body: '0\r\n\r\n', headers });
    expect(await large.text()).toContain('<Code>EntityTooLarge</Code>');
  });
});

describe('listings', () => {
  const list = (more: object = {}) => s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'list/', ...more }));
  const keysOf = async (more: object = {}) => (await list(more)).Contents?.map(({ Key: key }) => key);

  beforeAll(async () => {
    for (const key of ['list/b/2', 'list/a', 'list/b/1', 'list/c&<d>', 'list/\u{1f600}', 'list/\uff5e']) await put(key);
  });

  it('hold keys in the order of their UTF-8, with size, tag and time', async () => {
    const all = ['list/a', 'list/b/1', 'list/b/2', 'list/c&<d>', 'list/\uff5e', 'list/\u{1f600}'];
    expect(await keysOf()).toEqual(all);
    expect(await keysOf({ StartAfter: 'list/b/2' })).toEqual(all.slice(3));
    const { Contents: contents, KeyCount: count, IsTruncated: isTruncated } = await list();
    expect({ count, isTruncated }).toEqual({ count: 6, isTruncated: false });
    expect(contents?.[0]).toMatchObject({
      Size: TEXT.length,
      ETag: (await get('list/a')).ETag,
      LastModified: new Date(START_MS),
    });
  });

  it('come in pages', async () => {
    const first = await list({ MaxKeys: 4 });
    expect(first).toMatchObject({ KeyCount: 4, IsTruncated: true });
    const second = await list({ MaxKeys: 4, ContinuationToken: first.NextContinuationToken });
    expect(second).toMatchObject({ KeyCount: 2, IsTruncated: false });
    expect(second.Contents?.[0]?.Key).toBe('list/\uff5e');
    expect(second.NextContinuationToken).toBeUndefined();
    expect(await failure(list({ ContinuationToken: '!' }))).toBe('InvalidArgument 400');
  });

  it('sum up what is below a delimiter, over pages too', async () => {
    const first = await list({ Delimiter: '/', MaxKeys: 2 });
    expect(first.Contents?.map(({ Key: key }) => key)).toEqual(['list/a']);
    expect(first.CommonPrefixes).toEqual([{ Prefix: 'list/b/' }]);
    const second = await list({ Delimiter: '/', ContinuationToken: first.NextContinuationToken });
    expect(second.Contents?.[0]?.Key).toBe('list/c&<d>');
    expect(second.CommonPrefixes).toBeUndefined();
  });

  it('encode keys when that is asked for', async () => {
    const { Contents: contents } = await list({ EncodingType: 'url', StartAfter: 'list/b/2', MaxKeys: 1 });
    expect(contents?.[0]?.Key).toBe('list/c%26%3Cd%3E');
  });

  it('name the buckets', async () => {
    const { Buckets: buckets } = await s3.client.send(new ListBucketsCommand({}));
    expect(buckets?.map(({ Name: name }) => name)).toEqual([Bucket, 'others']);
    await s3.client.send(new HeadBucketCommand({ Bucket }));
    expect(await failure(s3.client.send(new HeadBucketCommand({ Bucket: 'absent' })))).toBe('NotFound 404');
  });
});

describe('deleting many objects', () => {
  it('lists the deleted objects, or nothing in quiet mode', async () => {
    await put('many/1');
    await put('many/<2>');
    const objects = ['many/1', 'many/<2>', 'many/absent'].map((Key) => ({ Key }));
    const loud = await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: objects } }));
    expect(loud.Deleted).toEqual(objects);
    expect(await failure(get('many/<2>'))).toBe('NoSuchKey 404');
    const quiet = { Objects: objects, Quiet: true };
    expect((await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: quiet }))).Deleted).toBeUndefined();
  });

  it('fails with MalformedXML when the list is invalid', async () => {
    for (const body of [
      '<Delete>',
      '<Delete/>',
      '<Other><Object><Key>a</Key></Object></Other>',
      '<Delete><Object></Object></Delete>',
      '<Delete><Object><Key>&what;</Key></Object></Delete>',
      '<!DOCTYPE x><Delete><Object><Key>a</Key></Object></Delete>',
      '<a>'.repeat(30),
      `<Delete>${'<Object><Key>a</Key></Object>'.repeat(1001)}</Delete>`,
    ]) {
      const answer = await sign('/files?delete', { method: 'POST', body });
      expect({ body, answer: await answer.text() }).toMatchObject({ answer: expect.stringContaining('MalformedXML') });
    }
  });
});

describe('a call without permission', () => {
  const read = (accessKeyId: string, key: string) =>
    s3.clientOf(accessKeyId).send(new GetObjectCommand({ Bucket, Key: key }));

  beforeAll(async () => {
    for (const key of ['open/a', 'open/kept', 'closed/a']) await put(key);
  });

  it('fails with AccessDenied, in the words of AWS', async () => {
    await expect(read('READER', 'open/a')).resolves.toBeDefined();
    await expect(read('READER', 'closed/a')).rejects.toMatchObject({
      name: 'AccessDenied',
      message:
        'User: arn:aws:sts::000000000000:assumed-role/READER/READER is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::files/closed/a because no identity-based policy allows the s3:GetObject action',
    });
    const write = new PutObjectCommand({ Bucket, Key: 'open/b', Body: 'x' });
    expect(await failure(s3.clientOf('READER').send(write))).toBe('AccessDenied 403');
    const copy = new CopyObjectCommand({ Bucket, Key: 'open/b', CopySource: `${Bucket}/open/a` });
    expect(await failure(s3.clientOf('READER').send(copy))).toBe('AccessDenied 403');
    expect(await failure(s3.clientOf('READER').send(new ListObjectsV2Command({ Bucket })))).toBe('AccessDenied 403');
  });

  it('does not reveal that an object is absent, unless the caller may list all of the bucket', async () => {
    expect(await failure(read('READER', 'open/absent'))).toBe('AccessDenied 403');
    expect(await failure(read('PREFIXED', 'open/absent'))).toBe('AccessDenied 403');
    expect(await failure(read('LISTER', 'open/absent'))).toBe('NoSuchKey 404');
  });

  it('fails if it lists outside of the prefix of a condition', async () => {
    const list = (prefix: string) => s3.clientOf('PREFIXED').send(new ListObjectsV2Command({ Bucket, Prefix: prefix }));
    expect((await list('open/')).KeyCount).toBe(2);
    expect(await failure(list('closed/'))).toBe('AccessDenied 403');
  });

  it('is reported for each object of a deletion', async () => {
    const objects = ['open/a', 'open/kept', 'closed/a'].map((Key) => ({ Key }));
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects: objects } });
    const { Deleted: deleted, Errors: errors } = await s3.clientOf('LISTER').send(command);
    expect(deleted).toEqual([{ Key: 'open/a' }]);
    expect(errors?.map(({ Key, Code }) => [Key, Code])).toEqual([
      ['open/kept', 'AccessDenied'],
      ['closed/a', 'AccessDenied'],
    ]);
    expect((await get('open/kept')).text).toBe(TEXT);
  });

  it('fails with InvalidAccessKeyId for an unknown key', async () => {
    expect(await failure(read('STRANGER', 'open/a'))).toBe('InvalidAccessKeyId 403');
  });
});

describe('a missing bucket, object or operation', () => {
  it('fails with NoSuchBucket', async () => {
    expect(await failure(s3.client.send(new GetObjectCommand({ Bucket: 'absent', Key: 'a' })))).toBe(
      'NoSuchBucket 404',
    );
    expect(await failure(s3.client.send(new PutObjectCommand({ Bucket: 'absent', Key: 'a', Body: 'x' })))).toBe(
      'NoSuchBucket 404',
    );
  });

  it('fails with NotImplemented instead of doing something else', async () => {
    await put('untagged');
    expect(await failure(s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'untagged' })))).toBe(
      'NotImplemented 501',
    );
    expect(await failure(put('untagged', 'x', { Tagging: 'a=b' }))).toBe('NotImplemented 501');
    expect(await failure(s3.client.send(new ListObjectsCommand({ Bucket })))).toBe('NotImplemented 501');
    expect(await failure(put('untagged', 'x', { ChecksumAlgorithm: 'SHA256', IfNoneMatch: '"1"' }))).toBe(
      'NotImplemented 501',
    );
    const headers = { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' };
    expect((await sign('/files/untagged', { method: 'PUT', body: 'x', headers })).status).toBe(501);
    expect((await get('untagged')).text).toBe(TEXT);
  });

  it('fails with InvalidURI or KeyTooLongError when the key cannot be one', async () => {
    expect(await (await sign('/files/%ff')).text()).toContain('<Code>InvalidURI</Code>');
    expect(await failure(put('k'.repeat(1025)))).toBe('KeyTooLongError 400');
    expect(await failure(put('k'.repeat(1024)))).toBe('no failure');
  });
});
