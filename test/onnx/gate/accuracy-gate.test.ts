import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { changed, graphOf } from '../../../onnx/format/graph.ts';
import { GraphProtoSchema, ModelProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { tensorProto } from '../../../onnx/format/tensor-proto.ts';
import { type Candidate, type GateOptions, runGate } from '../../../onnx/gate/accuracy-gate.ts';
import { COSINE } from '../../../onnx/gate/metrics.ts';
import type { QuantizedModel } from '../../../onnx/gate/quantized-model.ts';
import { quantizeDynamic } from '../../../onnx/quantize/dynamic.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { type Progress, ProgressCounter } from '../../../onnx/runtime/progress.ts';
import { encoderFeeds, smallEncoder } from '../small-models.ts';

const ENCODER = smallEncoder();

const OPTIONS: GateOptions = {
  feeds: feedsOf(encoderFeeds(8)),
  metric: COSINE,
  limits: { meanError: 0.01, worstError: 0.02 },
  batchInvarianceWorth: 1,
  rounds: 2,
};

/** Times of a machine without noise on which every model takes 1 ms. */
const sameTimes: GateOptions['timeModels'] = async (sessions, _, rounds) =>
  sessions.map(() => Array.from({ length: rounds }, () => 1));

const WEIGHT_ONLY: Candidate = {
  scheme: 'weight-only',
  build: async (nodes) => quantizeWeightOnly(ENCODER, nodes),
};
const DYNAMIC: Candidate = {
  scheme: 'dynamic',
  build: async (nodes) => quantizeDynamic(ENCODER, { exclusion: nodes }),
};

/** Weight-only, but the scales of one layer are wrong, so that only leaving it out helps. */
function broken(node: string): Candidate {
  return {
    scheme: 'broken',
    async build(nodes): Promise<QuantizedModel> {
      const { model, layers, left } = quantizeWeightOnly(ENCODER, nodes);
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
        left,
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
    expect(chosen.quantized.left).toMatchObject([{ node: 'down', reason: 'too inaccurate' }]);
    expect(chosen.quantized.layers.map(({ node }) => node)).toEqual(['lookup', 'up']);
  });

  it('continues without a candidate that cannot run, and keeps its reason', async () => {
    const stuck: Candidate = {
      scheme: 'stuck',
      build: async (nodes) => {
        const quantized = quantizeWeightOnly(ENCODER, nodes);
        const graph = graphOf(quantized.model);
        return {
          ...quantized,
          model: changed(ModelProtoSchema, quantized.model, {
            graph: changed(GraphProtoSchema, graph, { node: graph.node.slice(1) }),
          }),
        };
      },
    };
    const throwing: Candidate = {
      scheme: 'throwing',
      build: async () => {
        throw new AppError('ONNX_INVALID', 'no ranges');
      },
    };
    const { chosen, trials, failures } = await runGate(ENCODER, [stuck, throwing, WEIGHT_ONLY], OPTIONS);
    expect(chosen.scheme).toBe('weight-only');
    expect(trials).toHaveLength(1);
    expect(failures.map(({ scheme }) => scheme)).toEqual(['stuck', 'throwing']);
    expect(failures[0]?.reason).toMatch(/^onnxruntime refuses the model: /);
    expect(failures[1]?.reason).toBe('no ranges');
  });

  it('measures equal files once', async () => {
    const { trials } = await runGate(ENCODER, [WEIGHT_ONLY, { ...WEIGHT_ONLY, scheme: 'again' }], OPTIONS);
    expect(trials.map(({ sameAs }) => sameAs)).toEqual([undefined, 'weight-only']);
    expect(trials[1]?.speedup).toEqual(trials[0]?.speedup);
  });

  it('fails with NOT_QUANTIZED when no candidate can be used', async () => {
    const nothing: Candidate = {
      scheme: 'nothing',
      build: async () => quantizeWeightOnly(ENCODER, new Set(['lookup', 'up', 'down'])),
    };
    await expect(runGate(ENCODER, [nothing], OPTIONS)).rejects.toMatchObject({
      code: 'NOT_QUANTIZED',
      message: 'no scheme can be used: nothing: 0 of 1 Gather quantized: excluded, 0 of 2 MatMul quantized: excluded',
    });
  });

  it('fails with NOT_QUANTIZED when what passes is neither smaller nor faster', async () => {
    const options: GateOptions = { ...OPTIONS, originalBytes: 1, timeModels: sameTimes };
    await expect(runGate(ENCODER, [WEIGHT_ONLY], options)).rejects.toMatchObject({
      code: 'NOT_QUANTIZED',
      message: expect.stringMatching(
        /^no scheme is worth its error: weight-only has \d+\.\d % of the weights' bytes and \S+x the speed$/,
      ),
    });
  });

  it('reports each step, and never more than it announced', async () => {
    const steps: Progress[] = [];
    await runGate(ENCODER, [WEIGHT_ONLY], {
      ...OPTIONS,
      progress: new ProgressCounter((progress) => steps.push(progress)),
    });
    expect(steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['original', 'weight-only: accuracy', 'speed']),
    );
    expect(steps.map(({ done }) => done)).toEqual(steps.map((_, index) => index));
    expect(steps.every(({ done, total }) => done < total)).toBe(true);
    expect(steps.at(-1)?.total).toBe(steps.length);
  });

  it('fails with ACCURACY_GATE when no exclusion helps, and says how far each was off', async () => {
    const impossible = { ...OPTIONS, limits: { meanError: -1, worstError: -1 } };
    await expect(runGate(ENCODER, [WEIGHT_ONLY], impossible)).rejects.toMatchObject({
      code: 'ACCURACY_GATE',
      message: expect.stringMatching(
        /^no scheme keeps 1 - cosine within .*, got weight-only \S+ \(worst \S+\) with 1 Gather and 2 MatMul$/,
      ),
    });
  });

  it('fails with ACCURACY_GATE when there is nothing to measure on', async () => {
    await expect(runGate(ENCODER, [WEIGHT_ONLY], { ...OPTIONS, feeds: feedsOf([]) })).rejects.toMatchObject({
      code: 'ACCURACY_GATE',
    });
  });
});
