import { describe, expect, it } from '@jest/globals';
import { inspectModel } from '../../../onnx/format/inspect.ts';
import { encodeModel } from '../../../onnx/format/proto.ts';
import { quantizeWeightOnly } from '../../../onnx/quantize/weight-only.ts';
import { smallEncoder } from '../small-models.ts';

describe('inspectModel', () => {
  it('names what goes in and out, counts operators and sizes constants', () => {
    const inspection = inspectModel(smallEncoder(), 1);
    expect(inspection).toEqual({
      producer: '',
      operatorSets: ['operator set 17'],
      bytes: encodeModel(smallEncoder()).length,
      inputs: [
        { name: 'input_ids', type: 'int64', shape: ['batch', 'length'] },
        { name: 'attention_mask', type: 'int64', shape: ['batch', 'length'] },
      ],
      outputs: [{ name: 'last_hidden_state', type: 'float', shape: ['batch', 'length', 16] }],
      operators: [
        { opType: 'MatMul', count: 2 },
        { opType: 'Add', count: 1 },
        { opType: 'Gather', count: 1 },
        { opType: 'Mul', count: 1 },
        { opType: 'Relu', count: 1 },
      ],
      constants: [{ type: 'float', tensors: 4, elements: 1856, bytes: 7424 }],
      largest: [{ name: 'table', type: 'float', shape: [50, 16], bytes: 3200, readBy: ['lookup'] }],
    });
  });

  it('tells bytes from floats in a quantized model', () => {
    const { constants, producer } = inspectModel(quantizeWeightOnly(smallEncoder()).model);
    expect(producer).toBe('tensorgate');
    expect(constants.map(({ type }) => type)).toEqual(['int8', 'uint8', 'float']);
  });
});
