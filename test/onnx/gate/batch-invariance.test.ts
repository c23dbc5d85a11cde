import { describe, expect, it } from '@jest/globals';
import { makeNode } from '../../../onnx/format/graph.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { isBatchInvariant } from '../../../onnx/gate/batch-invariance.ts';
import { openSession, type Tensors } from '../../../onnx/runtime/session.ts';
import { floats, smallModel, value } from '../small-models.ts';

async function check(opType: string, feeds: readonly Tensors[]): Promise<boolean | undefined> {
  const model = smallModel({
    nodes: [makeNode(opType, 'n', ['x'], ['y'])],
    inputs: [value('x', ['n', 'm'])],
    outputs: [value('y', ['n', 'm'])],
  });
  const session = await openSession(encodeModel(model));
  try {
    return await isBatchInvariant(session, feeds);
  } finally {
    await session.release();
  }
}

describe('isBatchInvariant', () => {
  it('holds for a model that treats rows apart', async () => {
    expect(await check('Relu', [{ x: floats([1, 2], [1, 2]) }, { x: floats([1, 2], [-3, 9]) }])).toBe(true);
  });

  it('does not hold for a model that mixes rows', async () => {
    const model = smallModel({
      nodes: [makeNode('ReduceMax', 'm', ['x'], ['max']), makeNode('Sub', 's', ['x', 'max'], ['y'])],
      inputs: [value('x', ['n', 2])],
      outputs: [value('y', ['n', 2])],
    });
    const session = await openSession(encodeModel(model));
    expect(await isBatchInvariant(session, [{ x: floats([1, 2], [1, 2]) }, { x: floats([1, 2], [-3, 9]) }])).toBe(
      false,
    );
    await session.release();
  });

  it('pads nothing without a mask: rows of one length are compared', async () => {
    expect(await check('Relu', [{ x: floats([1, 2], [1, 2]) }, { x: floats([1, 3], [1, 2, 3]) }])).toBe(true);
  });

  it('is unknown when the inputs have no rows', async () => {
    expect(await check('Relu', [{ x: floats([2, 1], [1, 2]) }])).toBeUndefined();
    expect(await check('Relu', [])).toBeUndefined();
  });
});
