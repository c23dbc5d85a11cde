import { describe, expect, it } from '@jest/globals';
import { layOutTexts } from '../../../../core/tasks/embedding/text-batch.ts';

describe('layOutTexts', () => {
  const rows = [[5, 6, 7], [8]];

  it('pads shorter rows with zeros, on the right', () => {
    const names = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'];
    const inputs = names.map((name) => ({ name, datatype: 'INT64' as const, shape: [-1, -1] }));
    const laidOut = Object.entries(layOutTexts(rows, inputs)).map(([name, { shape, data }]) => [
      name,
      shape,
      Array.from(data, Number),
    ]);
    expect(laidOut).toEqual([
      ['input_ids', [2, 3], [5, 6, 7, 8, 0, 0]],
      ['attention_mask', [2, 3], [1, 1, 1, 1, 0, 0]],
      ['token_type_ids', [2, 3], [0, 0, 0, 0, 0, 0]],
      ['position_ids', [2, 3], [0, 1, 2, 0, 1, 2]],
    ]);
  });

  it('writes the integers that the model takes', () => {
    const { input_ids: ids } = layOutTexts(rows, [{ name: 'input_ids', datatype: 'INT32', shape: [-1, -1] }]);
    expect(ids).toEqual({ datatype: 'INT32', shape: [2, 3], data: Int32Array.of(5, 6, 7, 8, 0, 0) });
  });

  it.each([
    ['an input of another name', { name: 'pixels', datatype: 'INT64' as const, shape: [] }],
    ['an input of another datatype', { name: 'input_ids', datatype: 'FP32' as const, shape: [] }],
  ])('fails with ONNX_INVALID when the model has %s', (_, input) => {
    expect(() => layOutTexts(rows, [input])).toThrow(expect.objectContaining({ code: 'ONNX_INVALID' }));
  });
});
