import { describe, expect, it } from '@jest/globals';
import { changed, graphOf } from '../../../onnx/format/graph.ts';
import { GraphProtoSchema, ModelProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { type Candidate, type GateOptions, runGate } from '../../../onnx/gate/accuracy-gate.ts';
import { COSINE } from '../../../onnx/gate/metrics.ts';
import type { QuantizedModel } from '../../../onnx/gate/quantized-model.ts';
import { quantizeDynamic } from '../../../onnx/quantize/dynamic.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { encoderFeeds, smallEncoder } from '../small-models.ts';

const ENCODER = smallEncoder();

const OPTIONS: GateOptions = {
  feeds: encoderFeeds(8),
  metric: COSINE,
  limits: { meanError: 0.01, worstError: 0.02 },
  batchInvarianceWorth: 1,
  rounds: 2,
};

const onlyNodes = (nodes: ReadonlySet<string>) => ({ nodes, opTypes: new Set<string>() });

const WEIGHT_ONLY: Candidate = {
  scheme: 'weight-only',
  build: (nodes) => quantizeWeightOnly(ENCODER, onlyNodes(nodes)),
};
const DYNAMIC: Candidate = {
  scheme: 'dynamic',
  build: (nodes) => quantizeDynamic(ENCODER, { exclusion: onlyNodes(nodes) }),
};

/** Weight-only, but the scales of one layer are wrong, so that only leaving it out helps. */
function broken(node: string): Candidate {
  return {
    scheme: 'broken',
    build(nodes): QuantizedModel {
      const { model, layers } = quantizeWeightOnly(ENCODER, onlyNodes(nodes));
      const scale = `${layers.find((layer) => layer.node === node)?.weight}_scale`;
      const graph = graphOf(model);
      const initializer = graph.initializer.map((tensor) =>
        tensor.name === scale
          ? tensorProto(
              scale,
              [16],
              Float32Array.from({ length: 16 }, (_, index) => index),
            )
          : tensor,
      );
      return {
        layers,
        model: changed(ModelProtoSchema, model, { graph: changed(GraphProtoSchema, graph, { initializer }) }),
      };
    },
  };
}

describe('runGate', () => {
  it('measures every candidate and chooses one that passes', async () => {
    const { chosen, trials } = await runGate(ENCODER, [WEIGHT_ONLY, DYNAMIC], OPTIONS);
    expect(trials.map(({ scheme, passes }) => [scheme, passes])).toEqual([
      ['weight-only', true],
      ['dynamic', true],
    ]);
    expect(trials).toContain(chosen);
    expect(chosen.speedup).toBe(Math.max(...trials.map(({ speedup }) => speedup)));
    expect(trials.map(({ batchInvariant }) => batchInvariant)).toEqual([true, false]);
  });

  it('prefers the same bits in a batch to speed when it is worth it', async () => {
    const { chosen } = await runGate(ENCODER, [DYNAMIC, WEIGHT_ONLY], { ...OPTIONS, batchInvarianceWorth: 1000 });
    expect(chosen.scheme).toBe('weight-only');
  });

  it('leaves the layer in floating point that hurts when nothing passes', async () => {
    const { chosen, trials } = await runGate(ENCODER, [broken('down')], OPTIONS);
    expect(trials.map(({ passes }) => passes)).toEqual([false, true]);
    expect(chosen.excluded).toEqual(['down']);
    expect(chosen.quantized.layers.map(({ node }) => node)).toEqual(['lookup', 'up']);
  });

  it('fails with ACCURACY_GATE when no exclusion helps, and says how far each was off', async () => {
    const impossible = { ...OPTIONS, limits: { meanError: -1, worstError: -1 } };
    await expect(runGate(ENCODER, [WEIGHT_ONLY], impossible)).rejects.toMatchObject({
      code: 'ACCURACY_GATE',
      message: expect.stringMatching(/^no scheme keeps 1 - cosine within .*, got weight-only \S+ \(worst \S+\)$/),
    });
  });

  it('fails with ACCURACY_GATE when there is nothing to measure on', async () => {
    await expect(runGate(ENCODER, [WEIGHT_ONLY], { ...OPTIONS, feeds: [] })).rejects.toMatchObject({
      code: 'ACCURACY_GATE',
    });
  });
});
