import { describe, expect, test } from '@jest/globals';
import { type Body, isJsonMediaType, jsonEncoded, jsonTextOf, readJsonBody } from '../../../core/api/body.ts';

const JSON_TYPE = 'application/json';

describe('a body read as JSON', () => {
  test.each<[string, Body]>([
    ['text', { mediaType: JSON_TYPE, text: '{"input":"a"}' }],
    ['bytes', { mediaType: JSON_TYPE, bytes: new TextEncoder().encode('{"input":"a"}') }],
    ['a parsed value', { mediaType: JSON_TYPE, value: { input: 'a' } }],
    ['a structured suffix', { mediaType: 'application/vnd.example+json', text: '{"input":"a"}' }],
  ])('may be given as %s', (_, body) => {
    expect(readJsonBody(body)).toEqual({ input: 'a' });
  });

  test.each<[string, Body]>([
    ['UNSUPPORTED_MEDIA_TYPE', { mediaType: 'image/png', bytes: new Uint8Array([0x89]) }],
    ['INVALID_ENCODING', { mediaType: JSON_TYPE, bytes: new Uint8Array([0x22, 0xff, 0x22]) }],
    ['INVALID_JSON', { mediaType: JSON_TYPE, text: '{' }],
  ])('fails with %s when it cannot be read', (code, body) => {
    expect(() => readJsonBody(body)).toThrow(expect.objectContaining({ code }));
  });
});

test('only JSON and its structured suffixes count as JSON media types', () => {
  expect(['application/json', 'application/a.b+json', 'text/json', 'application/jsonp'].map(isJsonMediaType)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('a result written as JSON text carries the media type of JSON', () => {
  expect(jsonEncoded('[1]')).toEqual({ mediaType: JSON_TYPE, body: '[1]' });
});

test('only JSON text can be a line of a file', () => {
  expect(jsonTextOf(jsonEncoded('[1]'))).toBe('[1]');
  expect(() => jsonTextOf({ mediaType: 'text/csv', body: '1' })).toThrow('the result must be JSON text, got text/csv');
  expect(() => jsonTextOf({ mediaType: JSON_TYPE, body: new Uint8Array([0x31]) })).toThrow(TypeError);
});
