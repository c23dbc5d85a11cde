import { describe, expect, it } from '@jest/globals';
import { parseManifest } from '../../../core/models/manifest.ts';
import {
  isBatchable,
  renderTritonConfig,
  type TritonModel,
  tritonConfigOf,
} from '../../../core/sagemaker/triton-config.ts';

const MODEL: TritonModel = {
  name: 'tiny',
  version: '2',
  inputs: [{ name: 'input_ids', datatype: 'INT64', shape: [-1, -1] }],
  outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 4] }],
  maxBatchSize: 8,
  queue: { delayMicroseconds: 100, maxRequests: 32, timeoutMilliseconds: 500 },
  modelInstances: 2,
  tensorRt: false,
  hasIndependentRows: true,
};

describe('renderTritonConfig', () => {
  it('declares the first dimension as the batch, and limits the queue', () => {
    expect(renderTritonConfig(MODEL)).toBe(`name: "tiny"
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: 8
input {
  name: "input_ids"
  data_type: TYPE_INT64
  dims: [ -1 ]
}
output {
  name: "logits"
  data_type: TYPE_FP32
  dims: [ 4 ]
}
version_policy {
  specific {
    versions: 2
  }
}
instance_group {
  kind: KIND_GPU
  count: 2
}
dynamic_batching {
  max_queue_delay_microseconds: 100
  default_queue_policy {
    timeout_action: REJECT
    default_timeout_microseconds: 500000
    allow_timeout_override: true
    max_queue_size: 32
  }
}
model_warmup {
  name: "batch of 1"
  batch_size: 1
  inputs {
    key: "input_ids"
    value {
      data_type: TYPE_INT64
      dims: [ 16 ]
      zero_data: true
    }
  }
}
model_warmup {
  name: "batch of 8"
  batch_size: 8
  inputs {
    key: "input_ids"
    value {
      data_type: TYPE_INT64
      dims: [ 16 ]
      zero_data: true
    }
  }
}
`);
  });

  it('batches no requests if the first dimension is fixed', () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3] }] as const;
    const text = renderTritonConfig({ ...MODEL, inputs });
    expect(isBatchable({ ...MODEL, inputs })).toBe(false);
    expect(text).toContain('max_batch_size: 0\n');
    expect(text).toContain('dims: [ 1, 3 ]');
    expect(text).toContain('dims: [ -1, 4 ]');
    expect(text).not.toContain('dynamic_batching');
  });

  it('never merges requests whose rows depend on each other', () => {
    const text = renderTritonConfig({ ...MODEL, hasIndependentRows: false });
    expect(text).toContain('max_batch_size: 0\n');
    expect(text).toContain('dims: [ -1, -1 ]');
    expect(text).not.toContain('dynamic_batching');
  });

  it('adds a dimension if only the batch remains', () => {
    const outputs = [{ name: 'score', datatype: 'FP16', shape: [-1] }] as const;
    expect(renderTritonConfig({ ...MODEL, outputs })).toContain(
      'data_type: TYPE_FP16\n  dims: [ 1 ]\n  reshape { shape: [ ] }',
    );
  });

  it('does not warm up with strings', () => {
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [-1, 1] }] as const;
    const text = renderTritonConfig({ ...MODEL, inputs });
    expect(text).toContain('data_type: TYPE_STRING');
    expect(text).not.toContain('model_warmup');
  });

  it('requests TensorRT in half precision', () => {
    expect(renderTritonConfig({ ...MODEL, tensorRt: true })).toContain('name: "tensorrt"');
  });

  it('escapes names', () => {
    const inputs = [{ name: 'a"b\\', datatype: 'FP32', shape: [-1, 1] }] as const;
    expect(renderTritonConfig({ ...MODEL, inputs })).toContain('name: "a\\"b\\\\"');
  });
});

describe('tritonConfigOf', () => {
  const manifest = (compute: object) =>
    parseManifest(
      { id: 'tiny', task: 'tensor', versions: { '1': { weights: 'a.onnx', sha256: 'a'.repeat(64) } }, compute },
      'model.yaml',
    );

  it('follows the manifest', () => {
    const text = tritonConfigOf(
      manifest({ target: 'sagemaker', queue: { maxRequests: 7 }, modelInstances: 3, tensorRt: true }),
      '1',
      MODEL,
    );
    for (const part of ['max_queue_size: 7', 'count: 3', 'tensorrt', 'versions: 1', 'max_batch_size: 64']) {
      expect(text).toContain(part);
    }
  });

  it('is for models on endpoints', () => {
    expect(() => tritonConfigOf(manifest({ target: 'lambda' }), '1', MODEL)).toThrow(
      'tiny does not run on an endpoint',
    );
  });
});
