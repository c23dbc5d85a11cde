import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import { encodeModel, readModel } from '../../../onnx/format/proto.ts';
import { measureTokens } from '../../../onnx/gate/measure-tokens.ts';
import { countProductWeights } from '../../../onnx/quantize/count-product-weights.ts';
import { matrix, smallEncoder, smallModel, value } from '../small-models.ts';

describe('countProductWeights', () => {
  it('counts what is multiplied by, and not what is looked up', () => {
    const model = smallModel({
      nodes: [
        makeNode('Gather', 'lookup', ['table', 'ids'], ['x']),
        makeNode('MatMul', 'first', ['x', 'w'], ['h']),
        makeNode('Transpose', 'turn', ['v'], ['turned']),
        makeNode('MatMul', 'second', ['h', 'turned'], ['y']),
        makeNode('MatMul', 'scores', ['y', 'h'], ['z']),
      ],
      inputs: [value('ids', ['n'])],
      outputs: [value('z', ['n'])],
      constants: [matrix('table', 100, 4), matrix('w', 4, 8), matrix('v', 3, 8)],
    });
    expect(countProductWeights(model)).toBe(4 * 8 + 3 * 8);
  });

  it('finds the weights of minilm behind their quantization', () => {
    // Six layers of four 384 x 384 and two 384 x 1536
    expect(countProductWeights(readModel('models/minilm/1/model.onnx'))).toBe(6 * (4 * 384 * 384 + 2 * 384 * 1536));
  });
});

describe('measureTokens', () => {
  it('takes a time', async () => {
    expect(await measureTokens(encodeModel(smallEncoder()), 4)).toBeGreaterThan(0);
  });

  it('makes up token ids and masks only', async () => {
    const model = smallModel({
      nodes: [makeNode('Relu', 'relu', ['x'], ['y'])],
      inputs: [value('x', ['n'])],
      outputs: [value('y', ['n'])],
      constants: [],
    });
    await expect(measureTokens(encodeModel(model), 4)).rejects.toMatchObject({ code: 'ONNX_INVALID' });
  });
});
