import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import { intAttribute, makeNode } from '../../../onnx/format/graph.ts';
import {
  TensorProto_DataType as DataType,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from '../../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { smallModel, value } from '../../onnx/small-models.ts';
import { binaryEvent, gatewayEvent, lambdaContext, postEvent } from '../events.ts';
import { bodyOf } from './memory-deps.ts';
import { openPacked } from './packed-model.ts';

type Handler = ReturnType<typeof createHandler>;

const root = mkdtempSync(join(tmpdir(), 'tensorgate-open-inference-'));
afterAll(() => rmSync(root, { recursive: true }));

const lines: string[] = [];

async function serve(id: string, parts: Parameters<typeof smallModel>[0]): Promise<Handler> {
  const deps = await openPacked(root, id, encodeModel(smallModel(parts)));
  return createHandler({ ...deps, write: (line) => lines.push(line) });
}

const OCTETS = { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' };

/** Two rows of two numbers, as tritonclient writes them. */
const JSON_PART =
  '{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}';
const TAIL = Buffer.from('0000803f000000400000404000008040', 'hex');
const BINARY = Buffer.concat([Buffer.from(JSON_PART), TAIL]);
const LENGTH = String(JSON_PART.length);

/** The JSON part and the bytes behind it. */
function partsOf(response: APIGatewayProxyResult): [unknown, string] {
  expect(response.isBase64Encoded).toBe(true);
  const bytes = Buffer.from(response.body, 'base64');
  const length = Number(response.headers?.['Inference-Header-Content-Length']);
  return [JSON.parse(bytes.subarray(0, length).toString()), bytes.subarray(length).toString('hex')];
}

describe('a model behind the Open Inference Protocol', () => {
  let handler: Handler;
  const send = (headers: Record<string, string>, body: Uint8Array = BINARY) =>
    handler(binaryEvent('/v2/models/negate/infer', body, { headers }), lambdaContext());
  beforeAll(async () => {
    handler = await serve('negate', {
      nodes: [makeNode('Neg', 'negate', ['x'], ['y'])],
      inputs: [value('x', ['n', 2])],
      outputs: [value('y', ['n', 2])],
    });
  });

  test('accepts binary tensors and returns them', async () => {
    const response = await send({ ...OCTETS, 'Inference-Header-Content-Length': LENGTH });
    expect(response.headers).toMatchObject({ 'content-type': 'application/octet-stream' });
    expect(partsOf(response)).toEqual([
      {
        model_name: 'negate',
        model_version: '1',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [2, 2], parameters: { binary_data_size: 16 } }],
      },
      '000080bf000000c0000040c0000080c0',
    ]);
  });

  test('accepts binary tensors that are compressed', async () => {
    const headers = { ...OCTETS, 'Content-Encoding': 'gzip', 'Inference-Header-Content-Length': LENGTH };
    const plain = await send({ ...OCTETS, 'Inference-Header-Content-Length': LENGTH });
    expect((await send(headers, gzipSync(BINARY))).body).toBe(plain.body);
  });

  test('accepts the media type that states the length of the JSON part, and returns it to callers that accept it', async () => {
    const type = 'application/vnd.sagemaker-triton.binary+json';
    const response = await send({ 'Content-Type': `${type}; json-header-size=${LENGTH}`, Accept: type });
    expect(response.headers?.['content-type']).toMatch(
      /^application\/vnd\.sagemaker-triton\.binary\+json;json-header-size=\d+$/,
    );
    expect(partsOf(response)[1]).toBe('000080bf000000c0000040c0000080c0');
  });

  test.each(['*/*', '', 'application/json, application/octet-stream'])(
    'returns JSON to a caller to whom API Gateway passes no bytes, whose header accept is %j',
    async (Accept) => {
      const response = await send({ ...OCTETS, Accept, 'Inference-Header-Content-Length': LENGTH });
      expect(response.isBase64Encoded).not.toBe(true);
      expect(response.headers).toMatchObject({ 'content-type': 'application/json' });
      expect(bodyOf(response)).toMatchObject({ outputs: [{ name: 'y', data: [-1, -2, -3, -4] }] });
    },
  );

  test('accepts JSON that is sent as bytes', async () => {
    const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] };
    const response = await send(OCTETS, Buffer.from(JSON.stringify(body)));
    expect(bodyOf(response)).toMatchObject({ outputs: [{ data: [-1, -2] }] });
  });

  test('accepts a body that is nothing but the input', async () => {
    const response = await send({ ...OCTETS, 'Inference-Header-Content-Length': '0' }, TAIL);
    expect(partsOf(response)[1]).toBe('000080bf000000c0000040c0000080c0');
  });

  test('returns classes in place of the elements', async () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [2, 2], data: [1, 2, 4, 3] }];
    const outputs = [{ name: 'y', parameters: { classification: 1 } }];
    const response = await handler(postEvent('/v2/models/negate/infer', { inputs, outputs }), lambdaContext());
    expect(bodyOf(response)).toMatchObject({
      outputs: [{ name: 'y', datatype: 'BYTES', shape: [2, 1], data: ['-1.000000:0', '-3.000000:1'] }],
    });
  });

  test("accepts a message of the protocol's gRPC service and returns one", async () => {
    // ModelInferRequest { inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }], raw_input_contents: [1.0, 2.0] }
    const message = Buffer.from('2a0d0a0178120446503332 1a020102 3a080000803f00000040'.replaceAll(' ', ''), 'hex');
    const type = 'application/x-protobuf';
    const response = await send({ 'Content-Type': type, Accept: type }, message);
    expect(response.headers).toMatchObject({ 'content-type': type });
    // ModelInferResponse with the same names, and raw_output_contents: [-1.0, -2.0]
    expect(Buffer.from(response.body, 'base64').toString('hex')).toBe(
      '0a066e6567617465120131' + '2a0d0a01791204465033321a020102' + '3208000080bf000000c0',
    );
    expect(bodyOf(await send({ 'Content-Type': type, Accept: '*/*' }, message))).toMatchObject({
      outputs: [{ name: 'y', data: [-1, -2] }],
    });
  });

  test.each([
    ['a JSON part that is longer than the body', { 'Inference-Header-Content-Length': '9999' }, 'INVALID_BODY'],
    ['a length that is none', { 'Inference-Header-Content-Length': '-1' }, 'INVALID_BODY'],
    ['another media type', { 'Content-Type': 'image/png' }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['bytes that are not a message', { 'Content-Type': 'application/x-protobuf' }, 'INVALID_BODY'],
    ['bytes that are not JSON', {}, 'INVALID_ENCODING'],
  ])('refuses %s, with the member error as a string', async (_, headers, code) => {
    const response = await send({ ...OCTETS, ...headers });
    expect(response.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(bodyOf(response)).toMatchObject({ code, error: expect.any(String) });
  });

  test('reports what to do about bytes that API Gateway has turned into text', async () => {
    const headers = { 'Content-Type': 'application/json', 'Inference-Header-Content-Length': LENGTH };
    const event = gatewayEvent('/v2/models/negate/infer', { headers, body: BINARY.toString('latin1') });
    expect(bodyOf(await handler(event, lambdaContext()))).toMatchObject({
      code: 'INVALID_BODY',
      detail: expect.stringContaining('the content type must be application/octet-stream'),
    });
  });
});

test('a model of halves is asked in JSON, and its rows are cached one by one', async () => {
  const handler = await serve('halves', {
    nodes: [makeNode('Neg', 'negate', ['x'], ['y'])],
    inputs: [value('x', ['n', 2], DataType.FLOAT16)],
    outputs: [value('y', ['n', 2], DataType.FLOAT16)],
  });
  const inputs = [{ name: 'x', datatype: 'FP16', shape: [2, 2], data: [0.1, 'Infinity', 'NaN', -65504] }];
  const infer = () => handler(postEvent('/v2/models/halves/infer', { inputs }), lambdaContext());
  const outputs = [{ name: 'y', datatype: 'FP16', shape: [2, 2], data: [-0.1, '-Infinity', 'NaN', 65500] }];
  expect(bodyOf(await infer())).toMatchObject({ outputs });
  expect((await infer()).headers).toMatchObject({ 'x-cache': 'HIT' });
  const instances = { instances: [[1, 2]] };
  expect(bodyOf(await handler(postEvent('/v1/models/halves:predict', instances), lambdaContext()))).toEqual({
    predictions: [[-1, -2]],
  });
});

test('infinity in a result is returned, and does not affect other outputs', async () => {
  const handler = await serve('log', {
    nodes: [makeNode('Log', 'log', ['x'], ['y']), makeNode('Neg', 'negate', ['x'], ['z'])],
    inputs: [value('x', ['n'])],
    outputs: [value('y', ['n']), value('z', ['n'])],
  });
  const ask = async (body: object) =>
    bodyOf(
      await handler(
        postEvent('/v2/models/log/infer', {
          inputs: [{ name: 'x', datatype: 'FP32', shape: [2], data: [0, 1] }],
          ...body,
        }),
        lambdaContext(),
      ),
    );
  expect(await ask({ outputs: [{ name: 'z' }] })).toMatchObject({ outputs: [{ name: 'z', data: [-0, -1] }] });
  expect(await ask({})).toMatchObject({ outputs: [{ data: ['-Infinity', 0] }, {}] });
  const predict = await handler(postEvent('/v1/models/log:predict', { instances: [0, 1] }), lambdaContext());
  expect(bodyOf(predict)).toEqual({
    predictions: [
      { y: '-Infinity', z: -0 },
      { y: 0, z: -1 },
    ],
  });
});

test('a dimension may have the length zero, in JSON, in bytes and in an instance', async () => {
  const handler = await serve('past', {
    nodes: [makeNode('Concat', 'append', ['past', 'x'], ['y'], [intAttribute('axis', 1)])],
    inputs: [value('past', ['b', 'p', 2]), value('x', ['b', 't', 2])],
    outputs: [value('y', ['b', 'pt', 2])],
  });
  const x = { name: 'x', datatype: 'FP32', shape: [1, 1, 2], data: [1, 2] };
  for (const data of [[], [[]]]) {
    const inputs = [{ name: 'past', datatype: 'FP32', shape: [1, 0, 2], data }, x];
    const response = await handler(postEvent('/v2/models/past/infer', { inputs }), lambdaContext());
    expect(bodyOf(response)).toMatchObject({ outputs: [{ name: 'y', shape: [1, 1, 2], data: [1, 2] }] });
  }
  const instances = { instances: [{ past: [], x: [[1, 2]] }] };
  const response = await handler(postEvent('/v1/models/past:predict', instances), lambdaContext());
  expect(bodyOf(response)).toEqual({ predictions: [[[1, 2]]] });
});

test('a request without rows is computed as it is', async () => {
  const handler = await serve('none', {
    nodes: [makeNode('Neg', 'negate', ['x'], ['y'])],
    inputs: [value('x', ['n', 2])],
    outputs: [value('y', ['n', 2])],
  });
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [0, 2], data: [] }];
  const response = await handler(postEvent('/v2/models/none/infer', { inputs }), lambdaContext());
  expect(bodyOf(response)).toMatchObject({ outputs: [{ name: 'y', shape: [0, 2], data: [] }] });
});

test('an input whose number of dimensions is open takes tensors of any', async () => {
  const open = (name: string) =>
    create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, {
        value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: DataType.FLOAT }) },
      }),
    });
  const handler = await serve('open', {
    nodes: [makeNode('Neg', 'negate', ['x'], ['y'])],
    inputs: [open('x')],
    outputs: [open('y')],
  });
  for (const shape of [[], [2], [1, 1, 2]]) {
    const data = shape.length === 0 ? [7] : [7, 7];
    const inputs = [{ name: 'x', datatype: 'FP32', shape, data }];
    const response = await handler(postEvent('/v2/models/open/infer', { inputs }), lambdaContext());
    expect(bodyOf(response)).toMatchObject({ outputs: [{ shape, data: data.map((number) => -number) }] });
  }
});

test('an input may have a name that objects inherit', async () => {
  const handler = await serve('names', {
    nodes: [makeNode('Neg', 'negate', ['__proto__'], ['constructor'])],
    inputs: [value('__proto__', ['n'])],
    outputs: [value('constructor', ['n'])],
  });
  const inputs = [{ name: '__proto__', datatype: 'FP32', shape: [1], data: [1] }];
  const infer = () => handler(postEvent('/v2/models/names/infer', { inputs }), lambdaContext());
  expect(bodyOf(await infer())).toMatchObject({ outputs: [{ name: 'constructor', data: [-1] }] });
  expect(bodyOf(await infer())).toMatchObject({ outputs: [{ name: 'constructor', data: [-1] }] });
});

test('a string that the model would not get as it was sent is refused', async () => {
  const handler = await serve('texts', {
    nodes: [makeNode('Identity', 'same', ['s'], ['t'])],
    inputs: [value('s', ['n'], DataType.STRING)],
    outputs: [value('t', ['n'], DataType.STRING)],
  });
  const send = async (data: string[]) => {
    const inputs = [{ name: 's', datatype: 'BYTES', shape: [2], data }];
    return bodyOf(await handler(postEvent('/v2/models/texts/infer', { inputs }), lambdaContext()));
  };
  expect(await send(['ü', ''])).toMatchObject({ outputs: [{ data: ['ü', ''] }] });
  expect(await send(['ok', 'a\0b'])).toMatchObject({
    code: 'INVALID_TENSOR',
    detail: 'element 1 of input s must not hold the character NUL',
  });
  expect(await send(['\ud800', ''])).toMatchObject({
    code: 'INVALID_TENSOR',
    detail: 'element 0 of input s must not hold a lone surrogate',
  });
  const bytes = handler(postEvent('/v1/models/texts:predict', { instances: ['a\0b'] }), lambdaContext());
  expect(bodyOf(await bytes)).toMatchObject({ code: 'INVALID_TENSOR' });
});

test('what a model refuses inside of it is the error of its caller, with the reason, and no failure of the service', async () => {
  const handler = await serve('sum', {
    nodes: [makeNode('Add', 'sum', ['a', 'b'], ['c'])],
    inputs: [value('a', ['n']), value('b', ['m'])],
    outputs: [value('c', ['k'])],
  });
  const inputs = [
    { name: 'a', datatype: 'FP32', shape: [2], data: [1, 2] },
    { name: 'b', datatype: 'FP32', shape: [3], data: [1, 2, 3] },
  ];
  lines.length = 0;
  const response = await handler(postEvent('/v2/models/sum/infer', { inputs }), lambdaContext());
  expect([response.statusCode, bodyOf(response)]).toEqual([
    400,
    expect.objectContaining({
      code: 'INVALID_TENSOR',
      error: expect.stringMatching(/^the model refused the inputs: its node Add \(sum\) failed: .* 2 by 3$/),
    }),
  ]);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'INFO', ClientErrors: 1 });
  expect(lines.at(-1)).not.toContain('"Errors"');
});
