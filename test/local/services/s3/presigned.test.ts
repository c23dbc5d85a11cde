import { once } from 'node:events';
import { request } from 'node:http';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../manual-clock.ts';
import { startS3, type TestS3 } from './s3-server.ts';

const Bucket = 'files';
const KEY = 'a b/ü(1)+~.txt';
const START_MS = Date.parse('2026-11-24T10:00:00Z');

const clock = new ManualClock(START_MS);
let s3: TestS3;

beforeAll(async () => {
  s3 = await startS3({
    clock,
    buckets: { [Bucket]: [] },
    principals: { READER: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::files/a b/*' }] },
  });
  await s3.client.send(new PutObjectCommand({ Bucket, Key: KEY, Body: 'content' }));
});

afterAll(() => s3.close());

function presign(
  command: GetObjectCommand | PutObjectCommand | HeadObjectCommand,
  more: object = {},
  client = s3.client,
) {
  return getSignedUrl(client, command, { expiresIn: 60, signingDate: new Date(clock.now()), ...more });
}

function presignGet(more: object = {}, key = KEY): Promise<string> {
  return presign(new GetObjectCommand({ Bucket, Key: key, ...more }));
}

async function codeOf(answer: Response): Promise<string> {
  const text = await answer.text();
  const [, code] = /<Code>(\w+)<\/Code>/.exec(text) ?? [];
  const [, message] = /<Message>([^<]+)<\/Message>/.exec(text) ?? [];
  return `${answer.status} ${code}: ${message}`;
}

/** Sends a body with the given length. */
async function putBytes(url: string, body: string, headers: Record<string, string> = {}): Promise<number> {
  const sent = request(url, { method: 'PUT', headers: { 'content-length': Buffer.byteLength(body), ...headers } });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

describe('a presigned URL', () => {
  it('gives its bearer the object, whatever is in its key, and parts of it', async () => {
    const url = await presignGet();
    const answer = await fetch(url);
    expect({ status: answer.status, text: await answer.text() }).toEqual({ status: 200, text: 'content' });
    const part = await fetch(url, { headers: { range: 'bytes=0-2' } });
    expect({ status: part.status, text: await part.text() }).toEqual({ status: 206, text: 'con' });
    const head = await presign(new HeadObjectCommand({ Bucket, Key: KEY }));
    expect((await fetch(head, { method: 'HEAD' })).headers.get('content-length')).toBe('7');
  });

  it('names the file for the browser', async () => {
    const disposition = `attachment; filename="_.txt"; filename*=UTF-8''%c3%bc.txt`;
    const answer = await fetch(await presignGet({ ResponseContentDisposition: disposition }));
    expect(answer.headers.get('content-disposition')).toBe(disposition);
  });

  it('ends with its time', async () => {
    const url = await presignGet();
    clock.nowMs += 60_000;
    expect((await fetch(url)).status).toBe(200);
    clock.nowMs += 1;
    expect(await codeOf(await fetch(url))).toBe('403 AccessDenied: Request has expired');
    clock.nowMs = START_MS - 900_001;
    expect(await codeOf(await fetch(url))).toBe('403 AccessDenied: Request is not yet valid');
    clock.nowMs = START_MS;
  });

  it('fails with SignatureDoesNotMatch when anything of it is changed', async () => {
    const url = await presignGet();
    const changes = [
      url.replace('%20b', '%20c'),
      url.replace('X-Amz-Expires=60', 'X-Amz-Expires=61'),
      url.replace(/X-Amz-Signature=\w{4}/, 'X-Amz-Signature=0000'),
      url.replace(/X-Amz-Signature=\w+/, 'X-Amz-Signature=0'),
      `${url}&response-content-type=text/html`,
    ];
    for (const changed of changes) {
      expect(changed).not.toBe(url);
      expect(await codeOf(await fetch(changed))).toMatch(/^403 SignatureDoesNotMatch/);
    }
    expect(await codeOf(await fetch(url, { method: 'DELETE' }))).toMatch(/^403 SignatureDoesNotMatch/);
    const other = s3.clientOf('local');
    other.config.credentials = async () => ({ accessKeyId: 'local', secretAccessKey: 'guessed' });
    const guessed = await presign(new GetObjectCommand({ Bucket, Key: KEY }), {}, other);
    expect(await codeOf(await fetch(guessed))).toMatch(/^403 SignatureDoesNotMatch/);
  });

  it('fails with AuthorizationQueryParametersError when a part of the signature is absent or malformed', async () => {
    const url = await presignGet();
    for (const changed of [
      url.replace(/X-Amz-Date=\w+&/, ''),
      url.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20200101'),
      url.replace(/X-Amz-Expires=60/, 'X-Amz-Expires=604801'),
      url.replace(/X-Amz-Expires=60/, 'X-Amz-Expires=x'),
      url.replace('AWS4-HMAC-SHA256', 'AWS4'),
    ]) {
      expect(await codeOf(await fetch(changed))).toMatch(/^400 AuthorizationQueryParametersError/);
    }
  });

  it('fails with AccessDenied when a header of S3 is not signed', async () => {
    const url = await presign(new PutObjectCommand({ Bucket, Key: 'headers' }));
    const answer = await fetch(url, { method: 'PUT', body: 'x', headers: { 'x-amz-meta-a': '1' } });
    expect(await codeOf(answer)).toBe(
      '403 AccessDenied: There were headers present in the request which were not signed',
    );
  });

  it('may do what the one who signed it may when it is used', async () => {
    const reader = s3.clientOf('READER');
    const allowed = await presign(new GetObjectCommand({ Bucket, Key: KEY }), {}, reader);
    expect((await fetch(allowed)).status).toBe(200);
    const denied = await presign(new PutObjectCommand({ Bucket, Key: KEY }), {}, reader);
    expect(await codeOf(await fetch(denied, { method: 'PUT', body: 'x' }))).toContain('s3:PutObject');
    const stranger = await presign(new GetObjectCommand({ Bucket, Key: KEY }), {}, s3.clientOf('STRANGER'));
    expect(await codeOf(await fetch(stranger))).toMatch(/^403 InvalidAccessKeyId/);
  });

  it('accepts an upload of exactly the length that was signed', async () => {
    const command = new PutObjectCommand({ Bucket, Key: 'sized', ContentLength: 5 });
    const client = s3.clientOf('local');
    client.config.requestChecksumCalculation = async () => 'WHEN_REQUIRED';
    const url = await presign(command, { signableHeaders: new Set(['host', 'content-length']) }, client);
    expect(await putBytes(url, 'four')).toBe(403);
    expect(await putBytes(url, 'sixsix')).toBe(403);
    expect(await putBytes(url, 'fives')).toBe(200);
    expect(await (await fetch(await presignGet({}, 'sized'))).text()).toBe('fives');
  });

  it('compares an upload with the checksum that it holds', async () => {
    const command = new PutObjectCommand({ Bucket, Key: 'summed', ChecksumCRC32: 'AAAAAA==' });
    const url = await presign(command, { unhoistableHeaders: new Set<string>() });
    expect(url).toContain('x-amz-checksum-crc32');
    expect(await codeOf(await fetch(url, { method: 'PUT', body: 'x' }))).toMatch(/^400 BadDigest/);
  });
});
