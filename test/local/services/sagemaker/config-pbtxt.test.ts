import { describe, expect, it } from '@jest/globals';
import { renderTritonConfig } from '../../../../core/sagemaker/triton-config.ts';
import { parseTextFormat, readModelConfig } from '../../../../local/services/sagemaker/config-pbtxt.ts';

describe('parseTextFormat', () => {
  it('reads messages with and without a colon, lists, repeated fields, comments and escapes', () => {
    const message = parseTextFormat(`
      # a model
      name: "a \\"b\\"\\n" 'c'
      dims: [ -1, 2 ] dims: 3,
      input { data_type: TYPE_FP32 }
      input: < data_type: TYPE_INT64; >
      empty: [ ]
    `);
    expect(message.get('name')).toEqual(['a "b"\nc']);
    expect(message.get('dims')).toEqual(['-1', '2', '3']);
    expect(message.get('input')).toEqual([
      new Map([['data_type', ['TYPE_FP32']]]),
      new Map([['data_type', ['TYPE_INT64']]]),
    ]);
    expect(message.get('empty')).toEqual([]);
  });

  it.each(['name:', 'name: }', '{', 'a { b: 1', '1: 2', 'a: [ ; ]'])('refuses %j', (text) => {
    expect(() => parseTextFormat(text)).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});

describe('readModelConfig', () => {
  it('reads the configuration that the constructs write', () => {
    const text = renderTritonConfig({
      name: 'tiny',
      version: '1',
      maxBatchSize: 8,
      modelInstances: 1,
      tensorRt: true,
      hasIndependentRows: true,
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
      queue: { delayMicroseconds: 500, maxRequests: 3, timeoutMilliseconds: 20 },
    });
    expect(readModelConfig(text)).toEqual({
      name: 'tiny',
      maxBatchSize: 8,
      batching: { delayMs: 0.5, maxQueueSize: 3, timeoutMs: 20 },
      accelerators: ['tensorrt'],
    });
  });

  it('merges no requests by default', () => {
    expect(readModelConfig('name: "a"')).toEqual({
      name: 'a',
      maxBatchSize: 0,
      batching: undefined,
      accelerators: [],
    });
  });

  it('requires numbers in numeric fields', () => {
    expect(() => readModelConfig('max_batch_size: many')).toThrow('needs a number for max_batch_size, got many');
  });
});
