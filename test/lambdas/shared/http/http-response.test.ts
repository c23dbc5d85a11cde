import { describe, expect, it } from '@jest/globals';
import { jsonEncoded } from '../../../../core/api/body.ts';
import { fitsResponse, jsonResult, proxyResponse } from '../../../../lambdas/shared/http/http-response.ts';

/** Maximum size of a response (AWS Lambda quotas). */
const LIMIT = 6_291_556;

describe('proxyResponse', () => {
  it('returns JSON text with 200, and leaves out headers that are undefined', () => {
    expect(proxyResponse(jsonResult('{}'), { 'x-request-id': 'r', age: undefined })).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/json', 'x-request-id': 'r' },
      body: '{}',
    });
  });

  it('returns bytes as base64', () => {
    const whole = Uint8Array.from([9, 0, 255, 9]);
    const content = { mediaType: 'application/octet-stream', body: whole.subarray(1, 3) };
    expect(proxyResponse({ status: 202, content }, {})).toEqual({
      statusCode: 202,
      headers: { 'content-type': 'application/octet-stream' },
      body: 'AP8=',
      isBase64Encoded: true,
    });
  });

  it('returns no content type without a body', () => {
    expect(proxyResponse({ status: 302, headers: { location: 'https://s3/x' } }, {})).toEqual({
      statusCode: 302,
      headers: { location: 'https://s3/x' },
      body: '',
    });
  });

  it.each([
    ['characters that JSON escapes with six bytes', '\u0001'.repeat(LIMIT / 6)],
    ['lone surrogates', '\ud800'.repeat(LIMIT / 6)],
    ['quotes', '"'.repeat(LIMIT / 2)],
    ['three bytes of UTF-8', '€'.repeat(LIMIT / 3)],
    ['plain text', 'x'.repeat(LIMIT)],
    ['bytes, which grow by a third in base64', new Uint8Array((LIMIT * 3) / 4)],
  ])('fails with ANSWER_TOO_LARGE when %s fill the limit, and not with a little less', (_, body) => {
    const content = { mediaType: 'text/plain', body };
    expect(fitsResponse(content)).toBe(false);
    expect(() => proxyResponse({ content }, {})).toThrow(expect.objectContaining({ code: 'ANSWER_TOO_LARGE' }));
    const smaller = { ...content, body: body.slice(0, Math.floor(body.length * 0.99)) };
    expect(fitsResponse(smaller)).toBe(true);
    expect(() => proxyResponse({ content: smaller }, {})).not.toThrow();
  });

  it('never exceeds the limit when it returns a body', () => {
    for (const character of ['"', '\u0001', 'x', '€']) {
      for (let length = 1_000_000; fitsResponse(jsonEncoded(character.repeat(length))); length += 500_000) {
        const response = proxyResponse(jsonResult(character.repeat(length)), {});
        expect(Buffer.byteLength(JSON.stringify(response))).toBeLessThanOrEqual(LIMIT);
      }
    }
  });
});
