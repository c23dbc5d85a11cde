import { expect, test } from '@jest/globals';
import { BINARY_MEDIA_TYPES } from '../../../../core/api/accepted-media-type.ts';
import type { Body, Encoded } from '../../../../core/api/body.ts';
import { decodeInfer, encodeInfer } from '../../../../core/protocols/open-inference/infer.ts';
import { PROTOBUF_MEDIA_TYPE, TRITON_BINARY_TYPE } from '../../../../core/protocols/open-inference/media-types.ts';

const TARGET = { modelName: 'm', modelVersion: '1', inputs: [] };
const OCTETS = 'application/octet-stream';
const RESPONSE = {
  modelName: 'm',
  modelVersion: '1',
  outputs: [
    { name: 'y', datatype: 'INT8', shape: [1, 2], parts: [Int8Array.of(1, 2)] },
    { name: 'z', datatype: 'INT8', shape: [1, 2], parts: [Int8Array.of(4, 3)] },
  ],
} as const;

function bodyOf(request: object, form: 'json' | 'binary' | 'protobuf', accept: string | undefined): Body {
  const head = accept === undefined ? {} : { accept };
  const bytes = Buffer.from(JSON.stringify({ inputs: [], ...request }));
  if (form === 'json') return { ...head, mediaType: 'application/json', text: bytes.toString() };
  if (form === 'binary') return { ...head, mediaType: `${TRITON_BINARY_TYPE}${bytes.byteLength}`, bytes };
  return { ...head, mediaType: PROTOBUF_MEDIA_TYPE, bytes: new Uint8Array() };
}

/** The form of a response, and the outputs that are bytes in it. */
async function formOf(body: Body): Promise<string> {
  const request = await decodeInfer(body, TARGET);
  const outputs = request.outputs ?? RESPONSE.outputs.map(({ name }) => ({ name }));
  const { mediaType, body: written }: Encoded = await encodeInfer(RESPONSE, request, outputs, true);
  if (!mediaType.startsWith(TRITON_BINARY_TYPE)) return mediaType;
  const json = Buffer.from(written as Uint8Array).subarray(0, Number(mediaType.slice(TRITON_BINARY_TYPE.length)));
  const { outputs: list } = JSON.parse(json.toString()) as { outputs: { name: string; data?: unknown }[] };
  return list
    .filter(({ data }) => data === undefined)
    .map(({ name }) => name)
    .join();
}

const ALL = { parameters: { binary_data_output: true } };
const ONE = { outputs: [{ name: 'y', parameters: { binary_data: true } }, { name: 'z' }] };
const OTHER = { ...ALL, outputs: [{ name: 'y', parameters: { binary_data: false } }, { name: 'z' }] };

test.each([
  ['json', {}, undefined, 'application/json'],
  ['json', ALL, undefined, 'y,z'],
  ['json', ALL, OCTETS, 'y,z'],
  ['json', ALL, '*/*', 'application/json'],
  ['json', ALL, 'application/json', 'application/json'],
  ['json', ALL, '', 'application/json'],
  ['json', ONE, 'Application/Octet-Stream;q=1, */*', 'y'],
  ['json', OTHER, OCTETS, 'z'],
  ['json', {}, PROTOBUF_MEDIA_TYPE, PROTOBUF_MEDIA_TYPE],
  ['binary', {}, undefined, 'application/json'],
  ['binary', ALL, undefined, 'y,z'],
  ['binary', ALL, 'text/html', 'application/json'],
  ['protobuf', {}, undefined, PROTOBUF_MEDIA_TYPE],
  ['protobuf', {}, PROTOBUF_MEDIA_TYPE, PROTOBUF_MEDIA_TYPE],
  ['protobuf', {}, '*/*', 'application/json'],
] as const)('the response to %s %j that accepts %j is %s', async (form, request, accept, expected) => {
  expect(await formOf(bodyOf(request, form, accept))).toBe(expected);
});

test('classes replace the elements of the outputs that ask for them, in every form', async () => {
  const outputs = [{ name: 'y', classes: 1 }, { name: 'z' }];
  const written = await encodeInfer(RESPONSE, { form: 'json', isBinary: false }, outputs, true);
  expect(JSON.parse(String(written.body))).toMatchObject({
    outputs: [
      { name: 'y', datatype: 'BYTES', shape: [1, 1], data: ['2:1'] },
      { name: 'z', data: [4, 3] },
    ],
  });
});

test('JSON is read and written without waiting', () => {
  const request = decodeInfer(bodyOf({}, 'json', ''), TARGET);
  expect(request).not.toBeInstanceOf(Promise);
  expect(encodeInfer(RESPONSE, { form: 'json', isBinary: false }, [], true)).not.toBeInstanceOf(Promise);
});

test('a binary body that arrives as text is refused, with advice', () => {
  const body = { mediaType: `${TRITON_BINARY_TYPE}2`, text: '{}' };
  expect(() => decodeInfer(body, TARGET)).toThrow(
    expect.objectContaining({ code: 'INVALID_BODY', message: expect.stringContaining('application/octet-stream') }),
  );
});

test('API Gateway passes every form of bytes', () => {
  const triton = TRITON_BINARY_TYPE.split(';')[0];
  expect(BINARY_MEDIA_TYPES).toEqual(expect.arrayContaining([OCTETS, PROTOBUF_MEDIA_TYPE, triton]));
});
