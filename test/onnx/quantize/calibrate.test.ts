import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import { calibrate, wholeRange } from '../../../onnx/quantize/calibrate.ts';
import { feedsOf } from '../../../onnx/runtime/feeds.ts';
import { floats, matrix, smallModel, value } from '../small-models.ts';

function model(opset: number) {
  return smallModel({
    nodes: [makeNode('Neg', 'negate', ['x'], ['negated']), makeNode('MatMul', 'product', ['negated', 'w'], ['y'])],
    inputs: [value('x', ['n', 'm', 2])],
    outputs: [value('y', ['n', 'm', 2])],
    constants: [matrix('w', 2, 2)],
    opset,
  });
}

const ACTIVATIONS = [{ name: 'negated', width: 2 }];

describe('calibrate', () => {
  it.each([13, 17, 18, 21])('notes the range of each channel over all inputs, operator set %d', async (opset) => {
    const feeds = [{ x: floats([1, 2, 2], [1, 10, 2, 20]) }, { x: floats([1, 1, 2], [-3, 5]) }];
    const range = (await calibrate(model(opset), ACTIVATIONS, feedsOf(feeds))).get('negated');
    expect([...(range?.min ?? [])]).toEqual([-2, -20]);
    expect([...(range?.max ?? [])]).toEqual([3, -5]);
    expect([...(range?.power ?? [])]).toEqual([(2.5 + 9) / 2, (250 + 25) / 2]);
    expect(range && wholeRange(range)).toEqual({ min: -20, max: 3 });
  });

  it('fails with ONNX_INVALID when an activation is not finite', async () => {
    const feeds = [{ x: floats([1, 1, 2], [Number.POSITIVE_INFINITY, 0]) }];
    await expect(calibrate(model(17), ACTIVATIONS, feedsOf(feeds))).rejects.toMatchObject({
      code: 'ONNX_INVALID',
      message: 'calibration gave -Infinity for negated',
    });
  });

  it('leaves out runs in which an activation has no elements', async () => {
    const feeds = [{ x: floats([1, 0, 2], []) }, { x: floats([1, 1, 2], [-3, 5]) }];
    const ranges = await calibrate(model(17), ACTIVATIONS, feedsOf(feeds));
    expect([...(ranges.get('negated')?.min ?? [])]).toEqual([3, -5]);
    expect(await calibrate(model(17), ACTIVATIONS, feedsOf(feeds.slice(0, 1)))).toEqual(new Map());
  });

  it('finds the range of more channels than a function takes arguments', () => {
    const min = new Float32Array(400_000).fill(-1);
    expect(wholeRange({ min: min.with(7, -2), max: min.map(() => 3) })).toEqual({ min: -2, max: 3 });
  });

  it('fails with ONNX_INVALID when there are no inputs', async () => {
    await expect(calibrate(model(17), ACTIVATIONS, feedsOf([]))).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });

  it('fails with ONNX_INVALID when the inputs do not fit', async () => {
    const feeds = [{ other: floats([1, 1, 2], [1, 2]) }];
    await expect(calibrate(model(17), ACTIVATIONS, feedsOf(feeds))).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });
});
