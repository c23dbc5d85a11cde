import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { at } from '../../../../core/at.ts';
import { parseJson } from '../../../../core/json/json.ts';
import { decodeInferRequest, writeInferResponse } from '../../../../core/protocols/open-inference/json.ts';
import { requestedOutputs, validateInputs } from '../../../../core/protocols/open-inference/model.ts';
import type { Tensor, TensorDescription } from '../../../../core/tensors/tensor.ts';

/** Returns whether the bits of a half are those of a NaN. */
function isNan(bits: number): boolean {
  return (bits & 0x7fff) > 0x7c00;
}

const ANSWER = { modelName: 'm', modelVersion: '1' };

function decodeOne(input: Record<string, unknown>): Tensor | undefined {
  return decodeInferRequest({ inputs: [{ name: 'x', ...input }] }).inputs.get('x');
}

describe('decodeInferRequest', () => {
  it('reads id, parameters, inputs and outputs, and ignores unknown members', () => {
    const body = {
      id: '42',
      parameters: { truncate: true, n: 1, s: 'x' },
      inputs: [{ name: 'x', datatype: 'INT8', shape: [2], data: [1, -2], parameters: { a: 1 }, extra: 0 }],
      outputs: [{ name: 'y', parameters: { b: 'c' } }, { name: 'z' }],
      extra: 0,
    };
    expect(decodeInferRequest(body)).toEqual({
      id: '42',
      parameters: { truncate: true, n: 1, s: 'x' },
      inputs: new Map([['x', { datatype: 'INT8', shape: [2], data: Int8Array.of(1, -2), parameters: { a: 1 } }]]),
      outputs: [{ name: 'y' }, { name: 'z' }],
    });
  });

  it('returns neither id nor outputs when the request has none', () => {
    expect(decodeInferRequest({ inputs: [] })).toEqual({ parameters: {}, inputs: new Map() });
  });

  it('treats null as an absent member', () => {
    const input = { name: 'x', datatype: 'INT8', shape: [1], data: [1], parameters: null };
    const body = { id: null, parameters: null, inputs: [input], outputs: null };
    expect(decodeInferRequest(body)).toEqual(
      decodeInferRequest({ inputs: [{ name: 'x', datatype: 'INT8', shape: [1], data: [1] }] }),
    );
  });

  it('reads the parameters of a requested output', () => {
    const outputs = [{ name: 'y', parameters: { binary_data: false, classification: 3 } }];
    expect(decodeInferRequest({ inputs: [], outputs }).outputs).toEqual([{ name: 'y', isBinary: false, classes: 3 }]);
  });

  it('reads NaN and infinity as strings', () => {
    const data = ['NaN', 'Infinity', '-Infinity', 1];
    expect(decodeOne({ datatype: 'FP32', shape: [4], data })?.data).toEqual(
      Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1),
    );
  });

  it('reads a tensor with a dimension of length zero, flat or nested', () => {
    const expected = { datatype: 'FP32', shape: [1, 2, 0, 3], data: new Float32Array() };
    expect(decodeOne({ ...expected, data: [] })).toEqual(expected);
    expect(decodeOne({ ...expected, data: [[[], []]] })).toEqual(expected);
  });

  it('reads nested and flat data alike', () => {
    const flat = decodeOne({ datatype: 'FP32', shape: [2, 1, 3], data: [1, 2, 3, 4, 5, 6] });
    const nested = decodeOne({ datatype: 'FP32', shape: [2, 1, 3], data: [[[1, 2, 3]], [[4, 5, 6]]] });
    expect(nested).toEqual(flat);
    expect(flat?.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  });

  it.each([
    { form: 'a scalar', shape: [], data: 7 },
    { form: 'a scalar in an array', shape: [], data: [7] },
  ])('reads $form', ({ shape, data }) => {
    expect(decodeOne({ datatype: 'INT32', shape, data })?.data).toEqual(Int32Array.of(7));
  });

  it.each([
    [null, 'INVALID_BODY', 'body must be a JSON object, got null'],
    [{}, 'INVALID_BODY', 'inputs must be an array, got nothing'],
    [{ id: 7, inputs: [] }, 'INVALID_BODY', 'id must be a string, got a whole number'],
    [{ inputs: [1] }, 'INVALID_BODY', 'inputs[0] must be a JSON object, got a whole number'],
    [{ inputs: [{}] }, 'INVALID_BODY', 'inputs[0].name must be the name of a tensor, got nothing'],
    [{ inputs: [], outputs: {} }, 'INVALID_BODY', 'outputs must be an array, got an object'],
    [
      { inputs: [], outputs: [{ name: '' }] },
      'INVALID_BODY',
      'outputs[0].name must be the name of a tensor, got a string',
    ],
    [
      { inputs: [], parameters: { a: {} } },
      'INVALID_BODY',
      'parameters must contain only strings, numbers and booleans, got an object',
    ],
    [{ inputs: [], parameters: [] }, 'INVALID_BODY', 'parameters must be a JSON object, got an array'],
    [
      { inputs: [], outputs: [{ name: 'y', parameters: { binary_data: 1 } }] },
      'INVALID_PARAMETER',
      'outputs[0].parameters.binary_data must be true or false, got a whole number',
    ],
    [
      { inputs: [], outputs: [{ name: 'y', parameters: { classification: '3' } }] },
      'INVALID_PARAMETER',
      'outputs[0].parameters.classification must be a whole number from 1, got a string',
    ],
  ])('fails when the body is %j with %s: %s', (body, code, message) => {
    expect(() => decodeInferRequest(body)).toThrow(expect.objectContaining({ code, message }));
  });

  it.each([
    [{ datatype: 'BF16', shape: [1], data: [1] }, 'inputs[0].datatype must be one of BOOL, UINT8'],
    [{ datatype: 'toString', shape: [1], data: [1] }, 'inputs[0].datatype must be one of'],
    [{ shape: [1], data: [1] }, 'inputs[0].datatype must be one of'],
    [
      { datatype: 'FP32', shape: [-1], data: [1] },
      'inputs[0].shape must contain whole numbers from 0, got a whole number out of range',
    ],
    [
      { datatype: 'FP32', shape: [1.5], data: [1] },
      'inputs[0].shape must contain whole numbers from 0, got a fraction',
    ],
    [{ datatype: 'FP32', shape: ['1'], data: [1] }, 'inputs[0].shape must contain whole numbers from 0, got a string'],
    [{ datatype: 'FP32', shape: [1] }, 'inputs[0].data is missing, and so is the parameter binary_data_size'],
    [
      { datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
      'inputs[0].parameters.binary_data_size must be absent from a JSON body; send binary tensors as application/octet-stream',
    ],
    [
      { datatype: 'FP32', shape: [1], data: [1], parameters: { binary_data_size: 4 } },
      'inputs[0].data must be absent beside binary_data_size',
    ],
    [
      { datatype: 'FP32', shape: new Array(65).fill(1), data: [1] },
      'inputs[0].shape holds 65 dimensions, at most 64 are allowed',
    ],
    [
      { datatype: 'FP32', shape: [1], data: ['nan'] },
      'must be a number or one of NaN, Infinity, -Infinity, got a string',
    ],
    [{ datatype: 'FP32', shape: [3], data: [1, 2] }, 'inputs[0].data holds 2 elements, the shape [3] needs 3'],
    [{ datatype: 'FP32', shape: [], data: [] }, 'inputs[0].data holds 0 elements, the shape [] needs 1'],
    [
      { datatype: 'FP32', shape: [2, 2], data: [[1, 2], [3]] },
      'inputs[0].data[1] must be an array of 2 by its shape, got an array of 1',
    ],
    [
      { datatype: 'FP32', shape: [2, 2], data: [[1, 2], 3] },
      'inputs[0].data[1] must be an array of 2, got a whole number',
    ],
    [
      { datatype: 'FP32', shape: [1], data: [[1]] },
      'element 0 of inputs[0].data must be a number or one of NaN, Infinity, -Infinity, got an array',
    ],
    [{ datatype: 'FP32', shape: [1e9, 1e9], data: [] }, 'inputs[0].data holds 0 elements'],
    [
      { datatype: 'FP16', shape: [1], data: [65520] },
      'element 0 of inputs[0].data must be in the range of FP16, got a whole number out of range',
    ],
  ])('fails with INVALID_TENSOR when the input is %j: %s', (input, message) => {
    expect(() => decodeOne(input)).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', message: expect.stringContaining(message) }),
    );
  });

  it('fails with INVALID_TENSOR when two inputs have one name', () => {
    const input = { name: 'x', datatype: 'BOOL', shape: [1], data: [true] };
    expect(() => decodeInferRequest({ inputs: [input, input] })).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', param: 'inputs[1].name' }),
    );
  });
});

describe('writeInferResponse', () => {
  it('writes every output, and the id of the request', () => {
    const outputs = [
      { name: 'x', datatype: 'INT32', shape: [2, 1], parts: [Int32Array.of(1), Int32Array.of(-2)] },
      { name: 'y', datatype: 'BYTES', shape: [1], parts: [['a "b"']] },
    ] as const;
    expect(JSON.parse(writeInferResponse({ ...ANSWER, id: '7"', outputs }))).toEqual({
      model_name: 'm',
      model_version: '1',
      id: '7"',
      outputs: [
        { name: 'x', datatype: 'INT32', shape: [2, 1], data: [1, -2] },
        { name: 'y', datatype: 'BYTES', shape: [1], data: ['a "b"'] },
      ],
    });
  });

  it('writes no id if the request had none', () => {
    expect(JSON.parse(writeInferResponse({ ...ANSWER, outputs: [] }))).not.toHaveProperty('id');
  });

  it('writes rows without elements as an empty list', () => {
    const outputs = [
      { name: 'x', datatype: 'FP32', shape: [2, 0], parts: [new Float32Array(), new Float32Array()] },
    ] as const;
    expect(JSON.parse(writeInferResponse({ ...ANSWER, outputs }))).toMatchObject({ outputs: [{ data: [] }] });
  });

  it('writes what decodeInferRequest reads back, for every datatype', () => {
    // Every half, but one NaN only: JSON does not distinguish them.
    const half = fc.uint16Array().map(
      (data): Tensor => ({
        datatype: 'FP16',
        shape: [data.length],
        data: data.map((bits) => (isNan(bits) ? 0x7e00 : bits)),
      }),
    );
    const tensor = fc.oneof(
      fc.int8Array().map((data): Tensor => ({ datatype: 'INT8', shape: [data.length], data })),
      fc.uint16Array().map((data): Tensor => ({ datatype: 'UINT16', shape: [1, data.length], data })),
      fc.uint8Array({ max: 1 }).map((data): Tensor => ({ datatype: 'BOOL', shape: [data.length], data })),
      fc.bigInt64Array().map((data): Tensor => ({ datatype: 'INT64', shape: [data.length, 1], data })),
      fc.bigUint64Array().map((data): Tensor => ({ datatype: 'UINT64', shape: [data.length], data })),
      fc.float64Array().map((data): Tensor => ({ datatype: 'FP64', shape: [data.length], data })),
      fc.float32Array().map((data): Tensor => ({ datatype: 'FP32', shape: [data.length], data })),
      half,
      fc
        .array(fc.string({ unit: 'binary' }))
        .map((data): Tensor => ({ datatype: 'BYTES', shape: [data.length], data })),
    );
    fc.assert(
      fc.property(tensor, (value) => {
        const { datatype, shape } = value;
        const text = writeInferResponse({ ...ANSWER, outputs: [{ name: 'x', datatype, shape, parts: [value.data] }] });
        const { outputs: written } = parseJson(text) as { outputs: unknown };
        expect(decodeInferRequest({ inputs: written }).inputs.get('x')).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('requestedOutputs', () => {
  const outputs = [
    { name: 'h', datatype: 'FP16' },
    { name: 's', datatype: 'BYTES' },
  ] as const;

  it('returns all outputs of the model when the request names none', () => {
    expect(requestedOutputs(undefined, outputs)).toEqual([{ name: 'h' }, { name: 's' }]);
  });

  it.each([
    [[{ name: 'x' }], 'outputs[0].name is not an output of the model, its outputs are h, s'],
    [[{ name: 's', classes: 1 }], 'outputs[0].parameters.classification must be absent, because s is BYTES'],
  ])('fails with INVALID_TENSOR when the request names %j: %s', (requested, message) => {
    expect(() => requestedOutputs(requested, outputs)).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', message }),
    );
  });
});

describe('validateInputs', () => {
  const descriptions: TensorDescription[] = [
    { name: 'a', datatype: 'INT32', shape: [-1, 2] },
    { name: 'b', datatype: 'BYTES', shape: [] },
  ];
  const a: Tensor = { datatype: 'INT32', shape: [1, 2], data: Int32Array.of(1, 2) };
  const b: Tensor = { datatype: 'BYTES', shape: [], data: ['x'] };

  it('returns the tensors that the model accepts', () => {
    const inputs = new Map([
      ['b', b],
      ['a', a],
    ]);
    expect(validateInputs(inputs, descriptions)).toEqual({ a, b });
  });

  it('accepts a tensor without elements if a dimension varies', () => {
    const none: Tensor = { datatype: 'INT32', shape: [0, 2], data: new Int32Array() };
    expect(validateInputs(new Map([['a', none]]), descriptions.slice(0, 1))).toEqual({ a: none });
  });

  it('accepts any shape if the file leaves the number of dimensions open', () => {
    const open: TensorDescription = { name: 'a', datatype: 'INT32', shape: [], anyRank: true };
    expect(validateInputs(new Map([['a', a]]), [open])).toEqual({ a });
  });

  it('accepts any name of an input, even one that objects inherit', () => {
    const tensors = validateInputs(new Map([['__proto__', a]]), [{ ...at(descriptions, 0), name: '__proto__' }]);
    expect(Object.entries(tensors)).toEqual([['__proto__', a]]);
  });

  const wrong: [Record<string, Tensor>, string][] = [
    [{ a }, 'inputs lacks the input b'],
    [{ a, b, c: a }, 'inputs holds an input that the model does not have, its inputs are a, b'],
    [{ a: { ...a, datatype: 'INT64' }, b }, 'input a must be INT32, got INT64'],
    [{ a: { ...a, shape: [1, 3] }, b }, 'input a must be of shape [-1, 2], where -1 is any length, got [1, 3]'],
    [{ a: { ...a, shape: [2] }, b }, 'input a must be of shape [-1, 2], where -1 is any length, got [2]'],
    [{ a, b: { ...b, shape: [1] } }, 'input b must be of shape [], got [1]'],
  ];

  it.each(wrong)('fails with INVALID_TENSOR when the inputs are %j: %s', (inputs, message) => {
    expect(() => validateInputs(new Map(Object.entries(inputs)), descriptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', message }),
    );
  });
});
