import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { readBody } from '../../../../lambdas/shared/http/request-body.ts';
import { binaryEvent, gatewayEvent } from '../../events.ts';

const LIMIT = { maxBytes: 1000, advice: 'send less' } as const;

/** Bytes that are invalid as text in every encoding. */
const PIXELS = Buffer.from([0xff, 0xd8, 0x00, 0x7b, 0x0a]);

function image(bytes: Uint8Array, headers: Record<string, string> = {}) {
  return binaryEvent('/v1/models/words:predict', bytes, { headers: { 'Content-Type': 'image/jpeg', ...headers } });
}

describe('readBody', () => {
  it('keeps the bytes of a binary media type', async () => {
    expect(await readBody(image(PIXELS), LIMIT)).toEqual({ mediaType: 'image/jpeg', bytes: PIXELS });
  });

  it('keeps text that API Gateway passes on as text', async () => {
    const event = gatewayEvent('/x', { body: 'a,b', headers: { 'Content-Type': 'Text/CSV; header=present' } });
    expect(await readBody(event, LIMIT)).toEqual({ mediaType: 'text/csv', text: 'a,b' });
  });

  it('treats a body without a content type as JSON, and its bytes as text', async () => {
    const event = { ...binaryEvent('/x', Buffer.from('{"a":"é"}')), headers: {} };
    expect(await readBody(event, LIMIT)).toEqual({ mediaType: 'application/json', text: '{"a":"é"}' });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('decompresses bytes with %s', async (coding, compress) => {
    const body = await readBody(image(compress(PIXELS), { 'Content-Encoding': coding }), LIMIT);
    expect(body).toEqual({ mediaType: 'image/jpeg', bytes: PIXELS });
  });

  it.each(['gzip', 'deflate'])('keeps bytes that API Gateway decompressed from %s', async (coding) => {
    const body = await readBody(image(PIXELS, { 'Content-Encoding': coding }), LIMIT);
    expect(body).toEqual({ mediaType: 'image/jpeg', bytes: PIXELS });
  });

  it.each([
    ['as sent', image(Buffer.alloc(1001))],
    ['once decompressed', image(gzipSync(Buffer.alloc(1001)), { 'Content-Encoding': 'gzip' })],
    ['as text of few characters', gatewayEvent('/x', { body: '€'.repeat(334) })],
  ])('fails with BODY_TOO_LARGE and advice beyond the limit, %s', async (_, event) => {
    await expect(readBody(event, { ...LIMIT, advice: 'send it in parts' })).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
      message: expect.stringMatching(/, at most 1000 are allowed; send it in parts$/),
    });
  });

  it('fails with INVALID_ENCODING when compressed bytes are broken', async () => {
    const broken = Buffer.concat([gzipSync(PIXELS).subarray(0, 12), Buffer.from('nonsense')]);
    await expect(readBody(image(broken, { 'Content-Encoding': 'gzip' }), LIMIT)).rejects.toMatchObject({
      code: 'INVALID_ENCODING',
      message: 'body does not decode as gzip',
    });
  });

  it.each(['br', 'zstd', 'x-gzip', 'gzip, gzip'])(
    'fails with INVALID_ENCODING for text with content-encoding %s, which API Gateway does not decompress',
    async (coding) => {
      const event = gatewayEvent('/x', { body: '\ufffd', headers: { 'Content-Encoding': coding } });
      await expect(readBody(event, LIMIT)).rejects.toMatchObject({
        code: 'INVALID_ENCODING',
        message: expect.stringMatching(/^content-encoding must be one of identity, gzip, deflate, got /),
      });
    },
  );

  it('decompresses bytes with x-gzip, the older name of gzip', async () => {
    const body = await readBody(image(gzipSync(PIXELS), { 'Content-Encoding': 'x-gzip' }), LIMIT);
    expect(body).toEqual({ mediaType: 'image/jpeg', bytes: PIXELS });
  });

  it('ignores a byte order mark before JSON, in text and in bytes', async () => {
    const json = { mediaType: 'application/json', text: '{}' };
    expect(await readBody(gatewayEvent('/x', { body: '\ufeff{}' }), LIMIT)).toEqual(json);
    expect(await readBody({ ...binaryEvent('/x', Buffer.from('\ufeff{}')), headers: {} }, LIMIT)).toEqual(json);
  });

  it('accepts a body of exactly the limit', async () => {
    expect(await readBody(gatewayEvent('/x', { body: `"${'€'.repeat(332)}"` }), LIMIT)).toHaveProperty('text');
  });
});
