import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { changed, graphOf, intAttribute, makeNode } from '../../../onnx/format/graph.ts';
import { constantBytes } from '../../../onnx/format/inspect.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
} from '../../../onnx/format/onnx-messages.ts';
import { decodeModel, encodeModel } from '../../../onnx/format/proto.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { accuracyOf, errorsOf } from '../../../onnx/gate/measure.ts';
import { RELATIVE } from '../../../onnx/gate/metrics.ts';
import { quantizeModel, type Samples, SCHEMES, type SchemeName } from '../../../onnx/quantize/quantize.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import type { Tensors } from '../../../onnx/runtime/session.ts';
import { answersOfModel } from '../model-answers.ts';
import { floatAttribute, floats, integers, matrix, noise, smallModel, value } from '../small-models.ts';

const ROWS: Tensors[] = Array.from({ length: 12 }, (_, index) => ({ x: floats([1, 16], noise(16, index + 1)) }));

const samplesOf = (feeds: readonly Tensors[], limit = 0.05): Samples => ({
  calibration: feedsOf(feeds),
  feeds: feedsOf(feeds.slice(0, 4)),
  metric: RELATIVE,
  limits: { meanError: limit, worstError: 2 * limit },
  batchInvarianceWorth: 1,
  rounds: 1,
});

async function errorOf(original: ModelProto, quantized: ModelProto, feeds: readonly Tensors[]): Promise<number> {
  const [references, answers] = [await answersOfModel(original, feeds), await answersOfModel(quantized, feeds)];
  return accuracyOf(errorsOf(RELATIVE, references, answers)).worstError;
}

const X = [value('x', ['n', 16])];
const Y = [value('y', ['n', 'm'])];

/** A product and what is done to it. */
const product = (parts: Partial<Parameters<typeof smallModel>[0]>): ModelProto =>
  smallModel({
    nodes: [makeNode('MatMul', '', ['x', 'W'], ['y'])],
    inputs: X,
    outputs: Y,
    constants: [matrix('W', 16, 8)],
    ...parts,
  });

/** A product plus a constant of some shape. */
const biased = (shape: readonly number[], columns = 8): ModelProto =>
  product({
    nodes: [makeNode('MatMul', '', ['x', 'W'], ['m']), makeNode('Add', '', ['m', 'b'], ['y'])],
    constants: [matrix('W', 16, columns), tensorProto('b', shape, noise(shape[0] ?? 1, 5))],
  });

const gemm = (bias: readonly number[], attributes: Parameters<typeof makeNode>[4]): ModelProto =>
  product({
    nodes: [makeNode('Gemm', 'g', ['x', 'W', 'b'], ['y'], [intAttribute('transB', 1), ...(attributes ?? [])])],
    constants: [
      matrix('W', 8, 16),
      tensorProto(
        'b',
        bias,
        noise(
          bias.reduce((a, b) => a * b, 1),
          5,
        ),
      ),
    ],
  });

function spelledOut(): ModelProto {
  const model = product({});
  const node = graphOf(model).node.map((each) => changed(NodeProtoSchema, each, { domain: 'ai.onnx' }));
  return changed(ModelProtoSchema, model, {
    graph: changed(GraphProtoSchema, graphOf(model), { node }),
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: 'ai.onnx', version: 17n })],
  });
}

/** A product of bytes and half bytes, as other quantizers write it, before one of floats. */
function halfBytes(): ModelProto {
  const bytes = Uint8Array.from({ length: 128 }, (_, index) => (index * 37) % 256);
  const half = (name: string, dims: bigint[], rawData: Uint8Array<ArrayBuffer>) =>
    create(TensorProtoSchema, { name, dims, dataType: TensorProto_DataType.INT4, rawData });
  return product({
    nodes: [
      makeNode('QuantizeLinear', '', ['x', 's', 'z'], ['q']),
      makeNode('DequantizeLinear', '', ['q', 's', 'z'], ['d']),
      makeNode('DequantizeLinear', '', ['H', 'hs', 'hz'], ['h'], [intAttribute('axis', 1)]),
      makeNode('MatMul', '', ['d', 'h'], ['p']),
      makeNode('MatMul', '', ['p', 'W'], ['y']),
    ],
    constants: [
      tensorProto('s', [], Float32Array.of(0.01)),
      tensorProto('z', [], Uint8Array.of(128)),
      half('H', [16n, 16n], bytes),
      tensorProto('hs', [16], new Float32Array(16).fill(0.1)),
      half('hz', [16n], new Uint8Array(8)),
      matrix('W', 16, 8),
    ],
    opset: 21,
  });
}

/** As exporters wrote it before constants could do without an input of their name. */
function oldFileFormat(): ModelProto {
  return changed(ModelProtoSchema, product({ inputs: [...X, value('W', [16, 8])], opset: 13 }), { irVersion: 3n });
}

const MODELS: Readonly<Record<string, readonly [ModelProto, Tensors[]?]>> = {
  'a fixed batch size': [product({ inputs: [value('x', [1, 16])], outputs: [value('y', [1, 8])] })],
  'a weight of zeros': [product({ constants: [tensorProto('W', [16, 8], new Float32Array(128))] })],
  'a constant with the name that a scale would get': [
    product({
      nodes: [makeNode('MatMul', '', ['x', 'W'], ['a']), makeNode('Mul', '', ['a', 'W_scale'], ['y'])],
      constants: [matrix('W', 16, 8), tensorProto('W_scale', [], Float32Array.of(2))],
    }),
  ],
  'an activation with the name that a scale would get': [
    product({
      nodes: [
        makeNode('Relu', 'x_QuantizeLinear', ['x'], ['W_scale']),
        makeNode('MatMul', 'W_DequantizeLinear', ['x', 'W'], ['x_quantized']),
        makeNode('ReduceSum', 'x_scale', ['W_scale'], ['s'], [intAttribute('keepdims', 0)]),
        makeNode('Add', 'y_quant', ['x_quantized', 's'], ['y']),
      ],
    }),
  ],
  'a bias of one number after a product': [biased([1])],
  'a bias of one number after a product of three dimensions': [
    product({
      nodes: [makeNode('MatMul', '', ['x', 'W'], ['m']), makeNode('Add', '', ['b', 'm'], ['y'])],
      inputs: [value('x', ['n', 2, 16])],
      outputs: [value('y', ['n', 2, 8])],
      constants: [matrix('W', 16, 8), tensorProto('b', [1], Float32Array.of(0.5))],
    }),
    ROWS.map(({ x }, index) => ({
      x: floats([1, 2, 16], [...((x?.data as Float32Array) ?? []), ...noise(16, 90 + index)]),
    })),
  ],
  'a Gemm with a bias of one number': [gemm([1], [])],
  'a Gemm with a bias of one row': [gemm([1, 8], [])],
  'a Gemm with a scalar bias': [gemm([], [])],
  'a Gemm that scales its product and its bias': [
    gemm([8], [floatAttribute('alpha', -0.5), floatAttribute('beta', 3)]),
  ],
  'a weight of three dimensions': [
    product({
      inputs: [value('x', ['n', 1, 16])],
      outputs: [value('y', [4, 1, 8])],
      constants: [tensorProto('W', [4, 16, 8], noise(4 * 16 * 8))],
    }),
    ROWS.map(({ x }) => ({ x: floats([1, 1, 16], (x?.data as Float32Array) ?? []) })),
  ],
  'one weight along both of its axes': [
    product({
      nodes: [
        makeNode('MatMul', '', ['x', 'W'], ['a']),
        makeNode('Relu', '', ['a'], ['r']),
        makeNode('Gemm', '', ['r', 'W'], ['y'], [intAttribute('transB', 1)]),
      ],
      constants: [matrix('W', 16, 16)],
    }),
  ],
  'one activation times one weight along both of its axes': [
    product({
      nodes: [
        makeNode('MatMul', '', ['x', 'W'], ['a']),
        makeNode('Gemm', '', ['x', 'W'], ['b'], [intAttribute('transB', 1)]),
        makeNode('Add', '', ['a', 'b'], ['y']),
      ],
      constants: [
        tensorProto(
          'W',
          [16, 16],
          noise(256).map((each, index) => each * (1 + (index % 16)) ** 2),
        ),
      ],
    }),
  ],
  'one table for words in and words out': [
    product({
      nodes: [
        makeNode('Gather', '', ['E', 'i'], ['g']),
        makeNode('Gemm', '', ['g', 'E'], ['y'], [intAttribute('transB', 1)]),
      ],
      inputs: [value('i', ['n'], TensorProto_DataType.INT64)],
      constants: [matrix('E', 50, 16)],
    }),
    Array.from({ length: 12 }, (_, index) => ({ i: integers([4], [index, 3 * index, 49 - index, 7]) })),
  ],
  'one table for words out and words in': [
    product({
      nodes: [
        makeNode('Gemm', '', ['x', 'E'], ['o'], [intAttribute('transB', 1)]),
        makeNode('ArgMax', '', ['o'], ['i'], [intAttribute('axis', 1), intAttribute('keepdims', 0)]),
        makeNode('Gather', '', ['E', 'i'], ['y']),
      ],
      constants: [matrix('E', 50, 16)],
    }),
  ],
  'the default domain spelled out': [spelledOut()],
  'the third version of the file format': [oldFileFormat()],
  'a product of bytes and half bytes beside one of floats': [halfBytes()],
  'a product with an empty weight beside a full one': [
    product({
      nodes: [makeNode('MatMul', '', ['x', 'N'], ['none']), makeNode('MatMul', '', ['x', 'W'], ['y'])],
      outputs: [...Y, value('none', ['n', 0])],
      constants: [matrix('W', 16, 8), tensorProto('N', [16, 0], new Float32Array())],
    }),
  ],
  'an input without elements': [
    product({
      nodes: [
        makeNode('Concat', '', ['x', 'p'], ['c'], [intAttribute('axis', 0)]),
        makeNode('MatMul', '', ['c', 'W'], ['y']),
      ],
      inputs: [...X, value('p', ['m', 16])],
    }),
    ROWS.map((row) => ({ ...row, p: floats([0, 16], []) })),
  ],
};

const CASES = Object.entries(MODELS).flatMap(([name, [model, feeds]]) =>
  SCHEMES.map((scheme) => [scheme, name, model, feeds ?? ROWS] as const),
);

describe('quantizeModel, on models as others make them', () => {
  it.each(CASES)('%s quantizes %s', async (scheme, _, source, feeds) => {
    const model = decodeModel(encodeModel(source));
    // Smoothing measures its noise by the calibration, which is short here.
    const limit = scheme === 'static-smooth' ? 0.5 : 0.05;
    const quantization = await quantizeModel(model, { scheme, samples: samplesOf(feeds, limit) });
    expect(quantization.layers.length).toBeGreaterThan(0);
    expect(await errorOf(model, quantization.model, feeds)).toBeLessThan(limit * 2);
    expect(constantBytes(quantization.model)).toBeLessThan(constantBytes(model));
  });

  it('continues without the scheme that onnxruntime cannot run, such as for a bias that widens the product', async () => {
    const model = biased([5], 1);
    const { chosen, failures } = await quantizeModel(model, { samples: samplesOf(ROWS) });
    expect(failures).toMatchObject([{ scheme: 'dynamic', reason: expect.stringMatching(/^onnxruntime cannot run/) }]);
    expect(chosen && (await errorOf(model, chosen.quantized.model, ROWS))).toBeLessThan(0.05);
  });

  it('does not ask whether a model with a fixed batch size gives the same bits in a batch', async () => {
    const model = product({ inputs: [value('x', [1, 16])], outputs: [value('y', [1, 8])] });
    const { trials, originalBatchInvariant } = await quantizeModel(model, { samples: samplesOf(ROWS) });
    expect([originalBatchInvariant, ...trials.map(({ batchInvariant }) => batchInvariant)]).toEqual(
      new Array(5).fill(undefined),
    );
  });

  it('writes the same bytes for the same file', async () => {
    const quantize = async () =>
      encodeModel((await quantizeModel(product({}), { scheme: 'static', samples: samplesOf(ROWS) })).model);
    expect(await quantize()).toEqual(await quantize());
  });

  it('quantizes a quantized model again, as far as it is not yet', async () => {
    const model = product({
      nodes: [makeNode('MatMul', 'first', ['x', 'V'], ['a']), makeNode('MatMul', 'second', ['a', 'W'], ['y'])],
      constants: [matrix('V', 16, 16, 3), matrix('W', 16, 8, 4)],
    });
    for (const scheme of SCHEMES) {
      const exclude = { nodes: new Set(['second']), opTypes: new Set<string>() };
      const once = await quantizeModel(model, { scheme, exclude, samples: samplesOf(ROWS, 0.5) });
      const twice = await quantizeModel(once.model, { scheme, samples: samplesOf(ROWS, 0.5) });
      expect(twice.layers.map(({ node }) => node)).toEqual(['second']);
      expect(await errorOf(model, twice.model, ROWS)).toBeLessThan(0.5);
    }
  });
});

/** Names that the schemes give to what they add. */
const ADVERSE = ['x', 'W', 'V', 'h', 'y'].flatMap((name) =>
  ['_quantized', '_scale', '_zero_point', '_DequantizeLinear', '_DequantizeLinear_Output', '_QuantizeLinear']
    .concat(['_QuantizeLinear_Output', '_output_quantized', '_quant', '_rows', '_ReduceMin', '_smoothed', '_1', ''])
    .map((suffix) => name + suffix),
);

describe('quantizeModel, whatever the names', () => {
  const graphs = fc.uniqueArray(fc.constantFrom(...ADVERSE), { minLength: 7, maxLength: 7 }).chain((tensors) =>
    fc.record({
      tensors: fc.constant(tensors),
      nodes: fc.uniqueArray(fc.constantFrom(...ADVERSE), { minLength: 4, maxLength: 4 }),
      scheme: fc.constantFrom<SchemeName>(...SCHEMES),
      isGemm: fc.boolean(),
    }),
  );

  it('returns a model that runs and gives nearly the same results', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, async ({ tensors, nodes, scheme, isGemm }) => {
        const [x = '', w = '', v = '', b = '', h = '', r = '', y = ''] = tensors;
        const [first = '', second = '', third = '', fourth = ''] = nodes;
        const model = smallModel({
          nodes: [
            makeNode('MatMul', first, [x, w], [h]),
            makeNode('Relu', second, [h], [r]),
            ...(isGemm
              ? [makeNode('Gemm', third, [r, v, b], [y])]
              : [makeNode('MatMul', third, [r, v], ['sum']), makeNode('Add', fourth, ['sum', b], [y])]),
          ],
          inputs: [value(x, ['n', 16])],
          outputs: [value(y, ['n', 8])],
          constants: [matrix(w, 16, 16, 7), matrix(v, 16, 8, 8), tensorProto(b, [8], noise(8, 9))],
        });
        const feeds = ROWS.map((row) => ({ [x]: row['x'] ?? floats([0], []) }));
        const { model: quantized, layers } = await quantizeModel(model, { scheme, samples: samplesOf(feeds, 1) });
        expect(layers).toHaveLength(2);
        expect(await errorOf(model, quantized, feeds)).toBeLessThan(0.5);
      }),
      { numRuns: 60 },
    );
  });
});
