import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PayloadStore } from '../../../../core/jobs/payload-store.ts';
import { openS3PayloadStore } from '../../../../lambdas/shared/jobs/s3-payload-store.ts';
import { clientFor, startServer } from '../results/dynamodb-server.ts';
import { PAYLOADS, type QueuesAndBuckets, startQueuesAndBuckets } from './job-servers.ts';

let servers: QueuesAndBuckets;
let store: PayloadStore;

beforeAll(async () => {
  servers = await startQueuesAndBuckets();
  store = openS3PayloadStore({ client: servers.s3, bucket: PAYLOADS });
});

afterAll(() => servers.close());

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('openS3PayloadStore', () => {
  it('returns what was put, bytes or text', async () => {
    await store.put('jobs/a/text.json', '{"ü":1}', 'application/json');
    await store.put('jobs/a/bytes', Uint8Array.from([0, 255, 10]), 'application/octet-stream');
    const get = (key: string) => store.get({ bucket: PAYLOADS, key }, { maxBytes: 100 });
    expect(text(await get('jobs/a/text.json'))).toBe('{"ü":1}');
    expect([...(await get('jobs/a/bytes'))]).toEqual([0, 255, 10]);
  });

  it('returns an empty object', async () => {
    await store.put('empty', '', 'application/json');
    expect(await store.get({ bucket: PAYLOADS, key: 'empty' }, { maxBytes: 0 })).toHaveLength(0);
  });

  it('returns a part, from the first byte up to the end', async () => {
    await store.put('lines', 'line 1\nline 2\n', 'application/jsonl');
    const reference = { bucket: PAYLOADS, key: 'lines' };
    expect(text(await store.get(reference, { maxBytes: 100, range: [7, 14] }))).toBe('line 2\n');
    expect(text(await store.get(reference, { maxBytes: 7, range: [0, 7] }))).toBe('line 1\n');
    expect(await store.get(reference, { maxBytes: 100, range: [3, 3] })).toHaveLength(0);
  });

  it.each([
    ['starts', [20, 30]],
    ['ends', [0, 15]],
  ] as const)('fails with INPUT_NOT_FOUND when a part %s behind the end', async (_, range) => {
    await store.put('lines', 'line 1\nline 2\n', 'application/jsonl');
    const part = store.get({ bucket: PAYLOADS, key: 'lines' }, { maxBytes: 100, range });
    await expect(part).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' });
  });

  it('fails with INPUT_NOT_FOUND when there is no object, or no bucket', async () => {
    for (const reference of [
      { bucket: PAYLOADS, key: 'none' },
      { bucket: 'no-such-bucket', key: 'none' },
    ]) {
      await expect(store.get(reference, { maxBytes: 1 })).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' });
    }
  });

  it('fails with BODY_TOO_LARGE beyond the bytes that may come, without reading them', async () => {
    await store.put('large', 'x'.repeat(1000), 'text/plain');
    const large = store.get({ bucket: PAYLOADS, key: 'large' }, { maxBytes: 999 });
    await expect(large).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
      message: 'the object holds 1000 bytes, at most 999 are allowed; split it into several',
    });
  });

  it('reports whether an object exists', async () => {
    await store.put('there', 'x', 'text/plain');
    expect(await store.has({ bucket: PAYLOADS, key: 'there' })).toBe(true);
    expect(await store.has({ bucket: PAYLOADS, key: 'not-there' })).toBe(false);
  });

  it.each([
    [403, 'AccessDenied', 'INPUT_FORBIDDEN'],
    [503, 'SlowDown', 'UNAVAILABLE'],
  ])('turns the response %i %s of S3 into %s', async (status, code, expected) => {
    const server = await startServer((_, __, response) => {
      const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
    });
    const client = new S3Client({ ...clientFor(server.client.endpoint), forcePathStyle: true, maxAttempts: 1 });
    const failing = openS3PayloadStore({ client, bucket: PAYLOADS });
    await expect(failing.get({ bucket: PAYLOADS, key: 'a' }, { maxBytes: 1 })).rejects.toMatchObject({
      code: expected,
    });
    client.destroy();
    await server.close();
  });

  it('creates a URL at which everyone can read the object for a time, under a name', async () => {
    await store.put('files/a', 'content', 'application/jsonl');
    const url = await store.presignGet('files/a', { expiresSeconds: 3600, fileName: 'résumé "1".jsonl' });
    const { searchParams: parameters } = new URL(url);
    expect(parameters.get('X-Amz-Expires')).toBe('3600');
    expect(parameters.get('response-content-disposition')).toBe(
      `attachment; filename="r_sum_ _1_.jsonl"; filename*=UTF-8''r%C3%A9sum%C3%A9%20%221%22.jsonl`,
    );
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([200, 'content']);
  });

  it('replaces half of a surrogate pair in a name, which has no UTF-8', async () => {
    const url = await store.presignGet('files/a', { expiresSeconds: 60, fileName: '\ud800.jsonl' });
    expect(new URL(url).searchParams.get('response-content-disposition')).toContain("filename*=UTF-8''%EF%BF%BD.jsonl");
  });

  it('creates URLs without a file name when none is given', async () => {
    const url = await store.presignGet('files/a', { expiresSeconds: 60 });
    expect(new URL(url).searchParams.has('response-content-disposition')).toBe(false);
  });
});
