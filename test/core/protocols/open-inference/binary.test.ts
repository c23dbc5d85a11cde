import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../../core/errors.ts';
import { decodeBinaryInfer, encodeBinaryInfer } from '../../../../core/protocols/open-inference/binary.ts';
import { jsonLengthOf } from '../../../../core/protocols/open-inference/media-types.ts';
import type { InferOutput } from '../../../../core/protocols/open-inference/model.ts';
import type { TensorDescription } from '../../../../core/tensors/tensor.ts';

/** A body: its JSON part, then bytes in hexadecimal. */
function bodyOf(json: string, hex: string): [Uint8Array, number] {
  const head = Buffer.from(json);
  return [Buffer.concat([head, Buffer.from(hex, 'hex')]), head.byteLength];
}

const decode = (json: unknown, hex: string) =>
  decodeBinaryInfer(...bodyOf(typeof json === 'string' ? json : JSON.stringify(json), hex), []);

const one = (input: Record<string, unknown>) => ({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1], ...input }] });

const sized = (size: unknown, more: Record<string, unknown> = {}) =>
  one({ parameters: { binary_data_size: size }, ...more });

describe('a request of tritonclient 2.73', () => {
  it('holds numbers and strings behind the JSON part', () => {
    const json =
      '{"id":"7","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}},{"name":"s","shape":[2,1],"datatype":"BYTES","parameters":{"binary_data_size":10}}],"parameters":{"binary_data_output":true}}';
    const request = decode(json, '0000c03f000000c0000000000000807f02000000c3a900000000');
    expect(request).toMatchObject({ id: '7', parameters: { binary_data_output: true } });
    expect(request.inputs.get('x')).toMatchObject({
      shape: [2, 2],
      data: Float32Array.of(1.5, -2, 0, Number.POSITIVE_INFINITY),
    });
    expect(request.inputs.get('s')).toMatchObject({ shape: [2, 1], data: ['é', ''] });
  });

  it('holds halves, and names outputs in either form', () => {
    const json =
      '{"inputs":[{"name":"h","shape":[3],"datatype":"FP16","parameters":{"binary_data_size":6}}],"outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"z","parameters":{"binary_data":false}},{"name":"c","parameters":{"classification":2,"binary_data":true}}]}';
    const request = decode(json, '003c00c0ff7b');
    expect(request.inputs.get('h')).toMatchObject({ data: Uint16Array.of(0x3c00, 0xc000, 0x7bff) });
    expect(request.outputs).toEqual([
      { name: 'y', isBinary: true },
      { name: 'z', isBinary: false },
      { name: 'c', isBinary: true, classes: 2 },
    ]);
  });

  it('holds truth values, and a tensor without elements', () => {
    const json =
      '{"inputs":[{"name":"b","shape":[2],"datatype":"BOOL","parameters":{"binary_data_size":2}},{"name":"i","shape":[2,0],"datatype":"INT64","parameters":{"binary_data_size":0}}],"parameters":{"binary_data_output":true}}';
    const request = decode(json, '0100');
    expect(request.inputs.get('b')).toMatchObject({ data: Uint8Array.of(1, 0) });
    expect(request.inputs.get('i')).toMatchObject({ shape: [2, 0], data: new BigInt64Array() });
  });
});

describe('a binary request', () => {
  it('may hold some tensors as JSON', () => {
    const inputs = [
      { name: 'a', datatype: 'INT8', shape: [2], data: [1, 2] },
      { name: 'b', datatype: 'INT8', shape: [2], parameters: { binary_data_size: 2 } },
    ];
    expect([...decode({ inputs }, '03ff').inputs.values()].map(({ data }) => data)).toEqual([
      Int8Array.of(1, 2),
      Int8Array.of(3, -1),
    ]);
  });

  it.each([
    [sized(4), '00', 'INVALID_TENSOR', 'is more than the 1 bytes that are left in the body'],
    [sized(-1), '00', 'INVALID_TENSOR', 'must be a whole number from 0, got a whole number out of range'],
    [sized(1.5), '00', 'INVALID_TENSOR', 'must be a whole number from 0'],
    [sized('4'), '00000000', 'INVALID_TENSOR', 'must be a whole number from 0, got a string'],
    [sized(true), '00', 'INVALID_TENSOR', 'must be a whole number from 0'],
    [sized(3), '000000', 'INVALID_TENSOR', 'inputs[0] has 3 bytes, FP32 of the shape [1] needs 4'],
    [
      sized(4),
      '0000000000',
      'INVALID_BODY',
      '5 bytes follow the JSON part, the parameters binary_data_size of the inputs add up to 4',
    ],
    [one({ data: [1] }), '00', 'INVALID_BODY', '1 bytes follow the JSON part'],
    [sized(4, { shape: [2 ** 52, 2 ** 52] }), '00000000', 'INVALID_TENSOR', 'has 4 bytes'],
    [sized(1, { datatype: 'BOOL' }), '02', 'INVALID_TENSOR', 'must contain only bytes of 0 and 1'],
    [sized(4, { datatype: 'BYTES' }), 'ffffffff', 'INVALID_TENSOR', 'inputs[0] ends within element 0'],
    [sized(3, { datatype: 'BYTES' }), '000000', 'INVALID_TENSOR', 'ends within the length of a string'],
    [sized(8, { datatype: 'BYTES' }), '0000000000000000', 'INVALID_TENSOR', 'holds 2 strings, its shape needs 1'],
    [sized(0, { datatype: 'BYTES', shape: [2 ** 52] }), '', 'INVALID_TENSOR', 'holds 0 strings'],
    [sized(6, { datatype: 'BYTES' }), '02000000c328', 'INVALID_TENSOR', 'holds an element 0 that is not UTF-8'],
    ['{"inputs":', '', 'INVALID_JSON', 'body is not valid JSON'],
    ['7', '', 'INVALID_BODY', 'body must be a JSON object'],
  ])('is refused when it is %j and %s: %s, %s', (json, hex, code, message) => {
    expect(() => decode(json, hex)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it.each([
    [5, 'is more than the 4 bytes of the body'],
    [Number.NaN, 'must be a whole number'],
    [-1, 'body is not valid JSON'],
  ])('is refused when the length of its JSON part is %d', (length, message) => {
    expect(() => decodeBinaryInfer(new Uint8Array(4), length, [])).toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(message) }),
    );
  });

  it('is read or refused for any bytes', () => {
    const json = fc.oneof(
      fc.json().map((text) => text),
      fc
        .record({
          datatype: fc.constantFrom('FP32', 'BYTES', 'BOOL', 'FP16', 'UINT64', 'nothing'),
          shape: fc.array(fc.oneof(fc.integer({ min: -1, max: 4 }), fc.maxSafeInteger()), { maxLength: 4 }),
          size: fc.oneof(fc.integer({ min: -1, max: 40 }), fc.double()),
        })
        .map(({ datatype, shape, size }) => JSON.stringify(sized(size, { datatype, shape }))),
    );
    const body = fc.tuple(json, fc.uint8Array({ maxLength: 40 }), fc.integer({ min: -2, max: 2 }));
    fc.assert(
      fc.property(body, ([text, tail, shift]) => {
        const head = Buffer.from(text);
        try {
          decodeBinaryInfer(Buffer.concat([head, tail]), head.byteLength + shift, []);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).status).toBe(400);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a request that is nothing but bytes', () => {
  const raw = (input: Omit<TensorDescription, 'name'>, hex: string) =>
    decodeBinaryInfer(Buffer.from(hex, 'hex'), 0, [{ name: 'x', ...input }]);

  it.each([
    [
      [-1, 2],
      [2, 2],
    ],
    [
      [2, 2],
      [2, 2],
    ],
    [
      [-1, -1],
      [1, 4],
    ],
    [[-1], [4]],
  ])('is the only input of the declared shape %j: %j', (shape, expected) => {
    const { inputs, parameters } = raw({ datatype: 'INT8', shape }, '01020304');
    expect(inputs.get('x')).toEqual({ datatype: 'INT8', shape: expected, data: Int8Array.of(1, 2, 3, 4) });
    expect(parameters).toEqual({ binary_data_output: true });
  });

  it('is one string of a model that takes strings', () => {
    expect(raw({ datatype: 'BYTES', shape: [-1] }, 'c3a9').inputs.get('x')).toEqual({
      datatype: 'BYTES',
      shape: [1],
      data: ['é'],
    });
  });

  it.each([
    [{ datatype: 'FP32', shape: [-1, 2] }, '0000000000', 'INVALID_TENSOR', 'has 5 bytes'],
    [{ datatype: 'FP32', shape: [3] }, '00000000', 'INVALID_TENSOR', 'has 4 bytes, FP32 of the shape [3] needs 12'],
    [{ datatype: 'FP32', shape: [2, -1, -1] }, '00000000', 'INVALID_BODY', 'the shape of its input x is [2, -1, -1]'],
    [{ datatype: 'FP32', shape: [], anyRank: true }, '00000000', 'INVALID_BODY', 'the shape of its input x is []'],
    [{ datatype: 'FP32', shape: [-1, 0] }, '00000000', 'INVALID_TENSOR', 'has 4 bytes'],
    [{ datatype: 'BYTES', shape: [-1] }, 'c3', 'INVALID_ENCODING', 'not UTF-8'],
  ] as const)('is refused when the input is %j and the bytes are %s', (input, hex, code, message) => {
    expect(() => raw(input, hex)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  it('is refused by a model with several inputs', () => {
    const input = { name: 'x', datatype: 'FP32', shape: [1] } as const;
    expect(() => decodeBinaryInfer(new Uint8Array(4), 0, [input, { ...input, name: 'y' }])).toThrow(
      expect.objectContaining({ code: 'INVALID_BODY', message: expect.stringContaining('the model has 2 inputs') }),
    );
  });
});

describe('a binary response', () => {
  it('holds the requested outputs behind the JSON part, in their order', () => {
    const outputs: InferOutput[] = [
      { name: 'a', datatype: 'INT16', shape: [2, 1], parts: [Int16Array.of(1), Int16Array.of(-2)] },
      { name: 'b', datatype: 'INT8', shape: [1], parts: [Int8Array.of(7)] },
      { name: 's', datatype: 'BYTES', shape: [2], parts: [['é', '']] },
    ];
    const { mediaType, body } = encodeBinaryInfer(
      { modelName: 'm', modelVersion: '1', id: '7', outputs },
      (index) => index !== 1,
    );
    const bytes = Buffer.from(body as Uint8Array);
    const length = jsonLengthOf(mediaType) ?? 0;
    expect(JSON.parse(bytes.subarray(0, length).toString())).toEqual({
      model_name: 'm',
      model_version: '1',
      id: '7',
      outputs: [
        { name: 'a', datatype: 'INT16', shape: [2, 1], parameters: { binary_data_size: 4 } },
        { name: 'b', datatype: 'INT8', shape: [1], data: [7] },
        { name: 's', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: 10 } },
      ],
    });
    expect(bytes.subarray(length).toString('hex')).toBe('0100feff02000000c3a900000000');
  });
});
