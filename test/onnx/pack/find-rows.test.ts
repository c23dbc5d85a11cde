import { describe, expect, test } from '@jest/globals';
import { intsAttribute, makeNode } from '../../../onnx/format/graph.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { chooseRows, findRows } from '../../../onnx/pack/find-rows.ts';
import { openSession } from '../../../onnx/runtime/session.ts';
import { matrix, smallModel, value } from '../small-models.ts';

type Model = Parameters<typeof smallModel>[0];

const WEIGHTS = matrix('w', 8, 3, 2);

/** Runs {@link findRows} on a model; shapes are read as onnxruntime gives them. */
async function rowsOf(model: Model, batchNames: readonly string[], shapes: { x: number[]; y: number[] }) {
  const session = await openSession(encodeModel(smallModel(model)), { level: 'basic' });
  const inputs = [{ name: 'x', datatype: 'FP32' as const, shape: shapes.x }];
  const outputs = [{ name: 'y', datatype: 'FP32' as const, shape: shapes.y }];
  try {
    const { rows } = await findRows({ inputs, outputs, batchNames }, session);
    return rows;
  } finally {
    await session.release();
  }
}

test('rows that a model computes alike alone and together are independent', async () => {
  const model = {
    nodes: [makeNode('MatMul', 'product', ['x', 'w'], ['y'])],
    inputs: [value('x', ['batch', 8])],
    outputs: [value('y', ['batch', 3])],
    constants: [WEIGHTS],
  };
  expect(await rowsOf(model, ['batch'], { x: [-1, 8], y: [-1, 3] })).toBe('independent');
});

test('rows of a dynamically quantized model run together, because its scale is taken from the whole run', async () => {
  const model = {
    nodes: [
      makeNode('DynamicQuantizeLinear', 'quantize', ['x'], ['q', 'scale', 'zero']),
      makeNode('DequantizeLinear', 'dequantize', ['q', 'scale', 'zero'], ['y']),
    ],
    inputs: [value('x', ['batch', 8])],
    outputs: [value('y', ['batch', 8])],
  };
  expect(await rowsOf(model, ['batch'], { x: [-1, 8], y: [-1, 8] })).toBe('together');
});

test('rows that meet only beyond a threshold run together', async () => {
  // y = x + relu(largest value of the run - 10)
  const model = {
    nodes: [
      makeNode('ReduceMax', 'largest', ['x'], ['max']),
      makeNode('Sub', 'shift', ['max', 'ten'], ['shifted']),
      makeNode('Relu', 'relu', ['shifted'], ['excess']),
      makeNode('Add', 'add', ['x', 'excess'], ['y']),
    ],
    inputs: [value('x', ['batch', 8])],
    outputs: [value('y', ['batch', 8])],
    constants: [tensorProto('ten', [1, 1], Float32Array.of(10))],
  };
  expect(await rowsOf(model, ['batch'], { x: [-1, 8], y: [-1, 8] })).toBe('together');
});

test('rows that a model accepts only beside others run together', async () => {
  // y = x + the third row
  const model = {
    nodes: [makeNode('Gather', 'third', ['x', 'two'], ['row']), makeNode('Add', 'add', ['x', 'row'], ['y'])],
    inputs: [value('x', ['batch', 8])],
    outputs: [value('y', ['batch', 8])],
    constants: [tensorProto('two', [1], BigInt64Array.of(2n))],
  };
  expect(await rowsOf(model, ['batch'], { x: [-1, 8], y: [-1, 8] })).toBe('together');
});

test('dimensions of different names are a batch if the model computes a row for each row', async () => {
  const model = {
    nodes: [makeNode('Relu', 'relu', ['x'], ['y'])],
    inputs: [value('x', ['unk_1', 8])],
    outputs: [value('y', ['unk_2', 8])],
  };
  expect(await rowsOf(model, ['unk_1', 'unk_2'], { x: [-1, 8], y: [-1, 8] })).toBe('independent');
});

test.each([
  ['a transposed matrix, even if it is square', ['n', 'm'], [1, 0], ['m', 'n'], { x: [-1, -1], y: [-1, -1] }],
  ['time before the batch', ['n', 4, 'w'], [2, 0, 1], ['w', 'n', 4], { x: [-1, 4, -1], y: [-1, -1, 4] }],
  ['channels before the batch', ['n', 3, 2], [1, 0, 2], [3, 'n', 2], { x: [-1, 3, 2], y: [3, -1, 2] }],
])(
  'an output that begins with %s has no row for each row of the input',
  async (_, input, permutation, output, shapes) => {
    const model = {
      nodes: [makeNode('Transpose', 'turn', ['x'], ['y'], [intsAttribute('perm', permutation)])],
      inputs: [value('x', input)],
      outputs: [value('y', output)],
    };
    expect(await rowsOf(model, ['n'], shapes)).toBeUndefined();
  },
);

test('a first dimension that the model reduces is not a batch', async () => {
  const model = {
    nodes: [makeNode('ReduceSum', 'sum', ['x'], ['y'])],
    inputs: [value('x', ['rows', 8])],
    outputs: [value('y', ['one', 1])],
  };
  expect(await rowsOf(model, ['rows', 'one'], { x: [-1, 8], y: [-1, 1] })).toBeUndefined();
});

test.each([
  { x: [1, 8], y: [1, 8], expected: 'independent' },
  { x: [4, 8], y: [4, 8], expected: 'together' },
  { x: [4, 8], y: [-1, 8], expected: undefined },
  { x: [], y: [], expected: undefined },
])('declared shapes $x and $y mean $expected rows, without running the model', async ({ x, y, expected }) => {
  const model = {
    nodes: [makeNode('Relu', 'relu', ['x'], ['y'])],
    inputs: [value('x', x)],
    outputs: [
      value(
        'y',
        y.map((length) => (length === -1 ? 'n' : length)),
      ),
    ],
  };
  expect(await rowsOf(model, [], { x, y })).toBe(expected);
});

describe("the manifest's key `rows`", () => {
  const PROOF = 'a row gave another result alone';

  test('decides when packing proved nothing', () => {
    expect(chooseRows('together', { rows: 'independent' }, 'version 1 of m')).toBe('together');
    expect(chooseRows('independent', { rows: undefined }, 'version 1 of m')).toBe('independent');
    expect(chooseRows(undefined, { rows: 'together' }, 'version 1 of m')).toBe('together');
  });

  test('is refused when packing proved the opposite, with what to write instead', () => {
    expect(() => chooseRows('independent', { rows: 'together', proof: PROOF }, 'version 1 of m')).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        message: `rows must not be independent for version 1 of m: ${PROOF}; write together, or remove the key`,
      }),
    );
    for (const rows of ['independent', undefined] as const) {
      expect(() => chooseRows('together', { rows, proof: PROOF }, 'version 1 of m')).toThrow(
        `rows must not be together for version 1 of m: ${PROOF}; remove the key`,
      );
    }
  });

  test('may repeat what packing proved', () => {
    expect(chooseRows('together', { rows: 'together', proof: PROOF }, 'version 1 of m')).toBe('together');
  });
});
