import { describe, expect, it } from '@jest/globals';
import { readJsonBody } from '../../../../core/api/body.ts';
import {
  asRequestBody,
  encodedOf,
  fromInlineBody,
  fromPayload,
  inlineBytes,
  toInlineBody,
} from '../../../../lambdas/shared/jobs/inline-body.ts';

const JSON_TEXT = '{"n":9007199254740993}';

describe('an inline body', () => {
  it('is JSON text as it was written', () => {
    const inline = toInlineBody({ mediaType: 'application/json', body: JSON_TEXT });
    expect(inline).toEqual({ json: JSON_TEXT });
    expect(fromInlineBody(inline)).toEqual({ mediaType: 'application/json', body: JSON_TEXT });
    expect(inlineBytes(inline)).toBe(22);
  });

  it('is JSON text again if S3 held it as bytes', () => {
    expect(fromPayload(Buffer.from(JSON_TEXT))).toEqual({ mediaType: 'application/json', body: JSON_TEXT });
    expect(toInlineBody(fromPayload(Buffer.from(JSON_TEXT)))).toEqual({ json: JSON_TEXT });
  });

  it.each([
    ['bytes', Uint8Array.from([0, 255])],
    ['text', 'a,b'],
  ])('is base64 with the media type for %s', (_, body) => {
    const inline = toInlineBody({ mediaType: 'text/csv', body });
    expect(inline).toEqual({ mediaType: 'text/csv', base64: Buffer.from(body).toString('base64') });
    const read = fromInlineBody(inline);
    expect(read.mediaType).toBe('text/csv');
    expect(Buffer.from(read.body)).toEqual(Buffer.from(body));
  });

  it('is the body of a request again', () => {
    const sent = { mediaType: 'image/png', bytes: Uint8Array.from([1, 2]) };
    const read = asRequestBody(fromInlineBody(toInlineBody(encodedOf(sent))));
    expect(read).toMatchObject({ mediaType: 'image/png', bytes: Buffer.from([1, 2]) });
    expect(() => readJsonBody(read)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE' }));
  });
});
