import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from '../../../core/json/json.ts';
import {
  checkRequestedOutputs,
  decodeInferRequest,
  validateInputs,
  writeInferResponse,
} from '../../../core/protocols/open-inference.ts';
import { elementCount, type Tensor, type TensorDescription } from '../../../core/tensors/tensor.ts';
import { writeElements } from '../../../core/tensors/tensor-json.ts';

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
      inputs: new Map([['x', { datatype: 'INT8', shape: [2], data: Int8Array.of(1, -2) }]]),
      outputs: ['y', 'z'],
    });
  });

  it('gives neither id nor outputs when the request has none', () => {
    expect(decodeInferRequest({ inputs: [] })).toEqual({ parameters: {}, inputs: new Map() });
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
      'parameters must hold strings, numbers and booleans only, got an object',
    ],
    [{ inputs: [], parameters: [] }, 'INVALID_BODY', 'parameters must be a JSON object, got an array'],
  ])('fails when the body is %j with %s: %s', (body, code, message) => {
    expect(() => decodeInferRequest(body)).toThrow(expect.objectContaining({ code, message }));
  });

  it.each([
    [{ datatype: 'BF16', shape: [1], data: [1] }, 'inputs[0].datatype must be one of BOOL, UINT8'],
    [{ datatype: 'toString', shape: [1], data: [1] }, 'inputs[0].datatype must be one of'],
    [{ shape: [1], data: [1] }, 'inputs[0].datatype must be one of'],
    [{ datatype: 'FP32', shape: [-1], data: [1] }, 'inputs[0].shape must hold whole numbers from 0, got -1'],
    [{ datatype: 'FP32', shape: [1.5], data: [1] }, 'inputs[0].shape must hold whole numbers from 0, got 1.5'],
    [{ datatype: 'FP32', shape: ['1'], data: [1] }, 'inputs[0].shape must hold whole numbers from 0, got a string'],
    [{ datatype: 'FP32', shape: [1] }, 'inputs[0].data is missing; tensors are taken as JSON, not as binary data'],
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
    [{ datatype: 'FP32', shape: [1], data: [[1]] }, 'element 0 of inputs[0].data must be a number, got an array'],
    [{ datatype: 'FP32', shape: [1e9, 1e9], data: [] }, 'inputs[0].data holds 0 elements'],
    [{ datatype: 'FP16', shape: [1], data: [1] }, 'inputs[0].data is FP16, which has no JSON form; use FP32'],
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
      { name: 'x', datatype: 'INT32', shape: [2, 1], data: '1,-2' },
      { name: 'y', datatype: 'BYTES', shape: [1], data: '"a \\"b\\""' },
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

  it('writes what decodeInferRequest reads back, for every datatype', () => {
    const tensor = fc.oneof(
      fc.int8Array().map((data): Tensor => ({ datatype: 'INT8', shape: [data.length], data })),
      fc.uint16Array().map((data): Tensor => ({ datatype: 'UINT16', shape: [1, data.length], data })),
      fc.uint8Array({ max: 1 }).map((data): Tensor => ({ datatype: 'BOOL', shape: [data.length], data })),
      fc.bigInt64Array().map((data): Tensor => ({ datatype: 'INT64', shape: [data.length, 1], data })),
      fc.bigUint64Array().map((data): Tensor => ({ datatype: 'UINT64', shape: [data.length], data })),
      fc
        .float64Array({ noNaN: true, noDefaultInfinity: true })
        .map((data): Tensor => ({ datatype: 'FP64', shape: [data.length], data })),
      fc
        .float32Array({ noNaN: true, noDefaultInfinity: true })
        .map((data): Tensor => ({ datatype: 'FP32', shape: [data.length], data })),
      fc
        .array(fc.string({ unit: 'binary' }))
        .map((data): Tensor => ({ datatype: 'BYTES', shape: [data.length], data })),
    );
    fc.assert(
      fc.property(tensor, (value) => {
        const { datatype, shape } = value;
        const data = writeElements(value, 0, elementCount(shape));
        const text = writeInferResponse({ ...ANSWER, outputs: [{ name: 'x', datatype, shape, data }] });
        const { outputs: written } = parseJson(text) as { outputs: unknown };
        expect(decodeInferRequest({ inputs: written }).inputs.get('x')).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});

describe('checkRequestedOutputs', () => {
  const half = [
    { name: 'h', datatype: 'FP16' },
    { name: 'f', datatype: 'FP32' },
  ] as const;

  it('lets FP16 be left out', () => {
    expect(() => checkRequestedOutputs(['f'], half)).not.toThrow();
  });

  it.each([[undefined], [['h']]])(
    'fails with INVALID_TENSOR when an FP16 output would be answered: %j',
    (requested) => {
      expect(() => checkRequestedOutputs(requested, half)).toThrow(
        expect.objectContaining({ code: 'INVALID_TENSOR', message: 'outputs h is FP16, which has no JSON form' }),
      );
    },
  );
});

describe('validateInputs', () => {
  const descriptions: TensorDescription[] = [
    { name: 'a', datatype: 'INT32', shape: [-1, 2] },
    { name: 'b', datatype: 'BYTES', shape: [] },
  ];
  const a: Tensor = { datatype: 'INT32', shape: [1, 2], data: Int32Array.of(1, 2) };
  const b: Tensor = { datatype: 'BYTES', shape: [], data: ['x'] };

  it('gives the tensors that the model takes', () => {
    const inputs = new Map([
      ['b', b],
      ['a', a],
    ]);
    expect(validateInputs(inputs, descriptions)).toEqual({ a, b });
  });

  const wrong: [Record<string, Tensor>, string][] = [
    [{ a }, 'inputs lacks the input b'],
    [{ a, b, c: a }, 'inputs holds an input that the model does not have, its inputs are a, b'],
    [{ a: { ...a, datatype: 'INT64' }, b }, 'input a must be INT32, got INT64'],
    [{ a: { ...a, shape: [1, 3] }, b }, 'input a must be of shape [-1, 2], where -1 is any length from 1, got [1, 3]'],
    [{ a: { ...a, shape: [2] }, b }, 'input a must be of shape [-1, 2], where -1 is any length from 1, got [2]'],
    [{ a: { ...a, shape: [0, 2] }, b }, 'input a must be of shape [-1, 2], where -1 is any length from 1, got [0, 2]'],
  ];

  it.each(wrong)('fails with INVALID_TENSOR when the inputs are %j: %s', (inputs, message) => {
    expect(() => validateInputs(new Map(Object.entries(inputs)), descriptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_TENSOR', message }),
    );
  });
});
