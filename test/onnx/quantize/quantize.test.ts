import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { intsAttribute, makeNode, opsetOf } from '../../../onnx/format/graph.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { COSINE } from '../../../onnx/gate/metrics.ts';
import { quantizeModel, type Samples } from '../../../onnx/quantize/quantize.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { encoderFeeds, matrix, smallEncoder, smallModel, value } from '../small-models.ts';

const SAMPLES: Samples = {
  calibration: feedsOf(encoderFeeds(12)),
  feeds: feedsOf(encoderFeeds(8)),
  metric: COSINE,
  limits: { meanError: 0.01, worstError: 0.02 },
  batchInvarianceWorth: 1,
  rounds: 1,
};

describe('quantizeModel', () => {
  it('tries every scheme and reports each', async () => {
    const { trials, chosen, scheme, model } = await quantizeModel(smallEncoder(), { samples: SAMPLES });
    expect(trials.map((trial) => trial.scheme)).toEqual(['static', 'static-smooth', 'dynamic', 'weight-only']);
    expect(scheme).toBe(chosen?.scheme);
    expect(model).toBe(chosen?.quantized.model);
  });

  it.each(['static', 'static-smooth', 'dynamic', 'weight-only'] as const)(
    'judges only %s on request',
    async (scheme) => {
      const result = await quantizeModel(smallEncoder(), { scheme, samples: SAMPLES });
      expect(result.trials.map((trial) => trial.scheme)).toEqual([scheme]);
    },
  );

  it.each(['dynamic', 'weight-only'] as const)('quantizes %s unmeasured without samples', async (scheme) => {
    const { chosen, layers } = await quantizeModel(smallEncoder(), { scheme });
    expect(chosen).toBeUndefined();
    expect(layers).toHaveLength(3);
  });

  it('sees weights that are kept in Constant nodes', async () => {
    const weight = create(AttributeProtoSchema, {
      name: 'value',
      type: AttributeProto_AttributeType.TENSOR,
      t: matrix('', 4, 3),
    });
    const model = smallModel({
      nodes: [makeNode('Constant', 'weight', [], ['w'], [weight]), makeNode('MatMul', 'product', ['x', 'w'], ['y'])],
      inputs: [value('x', ['n', 4])],
      outputs: [value('y', ['n', 3])],
    });
    expect((await quantizeModel(model, { scheme: 'dynamic' })).layers).toHaveLength(1);
  });

  it.each(['auto', 'static', 'static-smooth'] as const)(
    'fails with INVALID_PARAMETER when %s gets no samples',
    async (scheme) => {
      await expect(quantizeModel(smallEncoder(), { scheme })).rejects.toMatchObject({ code: 'INVALID_PARAMETER' });
    },
  );

  it('quantizes a model of an earlier operator set', async () => {
    const model = smallModel({
      nodes: [
        makeNode('MatMul', 'product', ['x', 'w'], ['p']),
        makeNode('Unsqueeze', 'u', ['p'], ['y'], [intsAttribute('axes', [0])]),
      ],
      inputs: [value('x', ['n', 16])],
      outputs: [value('y', [1, 'n', 8])],
      constants: [matrix('w', 16, 8)],
      opset: 11,
    });
    const { layers, model: quantized } = await quantizeModel(model, { scheme: 'dynamic' });
    expect(layers).toHaveLength(1);
    expect(opsetOf(quantized)).toBe(13);
  });

  it('fails with ONNX_INVALID when an operator of an earlier operator set has no equivalent', async () => {
    const model = smallModel({
      nodes: [makeNode('Scan', 's', ['x'], ['y'])],
      inputs: [value('x', [1])],
      outputs: [value('y', [1])],
      opset: 8,
    });
    await expect(quantizeModel(model, { scheme: 'dynamic' })).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message: expect.stringMatching(/^Scan s cannot be written in operator set 13/),
    });
  });

  it('fails with ONNX_INVALID when onnxruntime refuses the model', async () => {
    const model = smallModel({
      nodes: [makeNode('NoSuchOperator', 'r', ['x'], ['y'])],
      inputs: [value('x', [1])],
      outputs: [value('y', [1])],
    });
    await expect(quantizeModel(model, { scheme: 'dynamic' })).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });
});
