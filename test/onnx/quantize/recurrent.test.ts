import { describe, expect, it } from '@jest/globals';
import { intAttribute, makeNode } from '../../../onnx/format/graph.ts';
import { constantBytes } from '../../../onnx/format/inspect.ts';
import type { ModelProto } from '../../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { accuracyOf, errorsOf } from '../../../onnx/gate/measure.ts';
import { RELATIVE } from '../../../onnx/gate/metrics.ts';
import type { QuantizedModel } from '../../../onnx/gate/quantized-model.ts';
import { quantizeDynamic } from '../../../onnx/quantize/dynamic.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import type { Tensors } from '../../../onnx/runtime/session.ts';
import { answersOfModel, opTypesOf } from '../model-answers.ts';
import { floats, noise, smallModel, stringAttribute, value } from '../small-models.ts';

const [INPUTS, HIDDEN] = [12, 8];

/** Gates of each operator, in units of the hidden size. */
const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;

interface Shape {
  readonly opType: keyof typeof GATES;
  readonly directions?: 1 | 2;
  /** Adds an initial state and, for an LSTM, peepholes. */
  readonly hasState?: boolean;
}

function recurrent({ opType, directions = 1, hasState = false }: Shape): ModelProto {
  const gates = GATES[opType] * HIDDEN;
  const direction = directions === 2 ? 'bidirectional' : 'forward';
  const constant = (name: string, dims: readonly number[], seed: number) =>
    tensorProto(
      name,
      dims,
      noise(
        dims.reduce((a, b) => a * b, 1),
        seed,
      ).map((each) => each / 2),
    );
  const states = hasState ? (opType === 'LSTM' ? ['', 'h', 'c', 'P'] : ['', 'h']) : [];
  return smallModel({
    nodes: [
      makeNode(
        opType,
        'cell',
        ['x', 'W', 'R', 'B', ...states],
        ['y'],
        [intAttribute('hidden_size', HIDDEN), stringAttribute('direction', direction)],
      ),
    ],
    inputs: [value('x', ['steps', 'batch', INPUTS])],
    outputs: [value('y', ['steps', directions, 'batch', HIDDEN])],
    constants: [
      constant('W', [directions, gates, INPUTS], 1),
      constant('R', [directions, gates, HIDDEN], 2),
      constant('B', [directions, 2 * gates], 3),
      ...(hasState ? [constant('h', [directions, 1, HIDDEN], 4)] : []),
      ...(hasState && opType === 'LSTM'
        ? [constant('c', [directions, 1, HIDDEN], 5), constant('P', [directions, 3 * HIDDEN], 6)]
        : []),
    ],
  });
}

const FEEDS: Tensors[] = [1, 2, 3].map((seed) => ({ x: floats([5, 1, INPUTS], noise(5 * INPUTS, seed)) }));

async function errorOf(original: ModelProto, { model }: QuantizedModel): Promise<number> {
  const errors = errorsOf(RELATIVE, await answersOfModel(original, FEEDS), await answersOfModel(model, FEEDS));
  return accuracyOf(errors).worstError;
}

const SHAPES: readonly Shape[] = [
  { opType: 'LSTM' },
  { opType: 'LSTM', directions: 2 },
  { opType: 'LSTM', hasState: true },
  { opType: 'LSTM', directions: 2, hasState: true },
];

describe('quantizeDynamic, on recurrent operators', () => {
  it.each(SHAPES)('replaces %j by an operator of 8 bits', async (shape) => {
    const original = recurrent(shape);
    const quantized = quantizeDynamic(original);
    expect(opTypesOf(quantized.model)).toEqual(['DynamicQuantizeLSTM']);
    expect(quantized.layers.map(({ node }) => node)).toEqual(['cell']);
    expect(await errorOf(original, quantized)).toBeLessThan(0.03);
    expect(constantBytes(quantized.model)).toBeLessThan(constantBytes(original) / 2);
  });

  it.each(['GRU', 'RNN'] as const)('leaves %s, for which there is none', (opType) => {
    const { layers, left } = quantizeDynamic(recurrent({ opType }));
    expect(layers).toEqual([]);
    expect(left).toMatchObject([{ node: 'cell', opType, reason: 'onnxruntime has no such operator of 8 bits' }]);
  });

  it('leaves an LSTM whose state has no constant weight', () => {
    const model = recurrent({ opType: 'LSTM' });
    const graph = model.graph;
    if (graph !== undefined) graph.initializer = graph.initializer.filter(({ name }) => name !== 'R');
    expect(quantizeDynamic(model).left).toMatchObject([
      { reason: 'the weight of its state is not a constant of floats' },
    ]);
  });
});

describe('quantizeWeightOnly, on recurrent operators', () => {
  it.each([...SHAPES, { opType: 'GRU' }, { opType: 'GRU', directions: 2, hasState: true }, { opType: 'RNN' }] as const)(
    'stores both weights of %j as bytes',
    async (shape) => {
      const original = recurrent(shape);
      const quantized = quantizeWeightOnly(original);
      expect(opTypesOf(quantized.model)).toEqual(['DequantizeLinear', 'DequantizeLinear', shape.opType]);
      expect(await errorOf(original, quantized)).toBeLessThan(0.02);
      expect(constantBytes(quantized.model)).toBeLessThan(constantBytes(original) / 2);
    },
  );
});
