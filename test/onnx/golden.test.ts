import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { dataTypeName } from '../../onnx/format/data-type-name.ts';
import { graphOf } from '../../onnx/format/graph.ts';
import {
  TensorProto_DataType as DataType,
  type ModelProto,
  type TensorProto,
} from '../../onnx/format/onnx-messages.ts';
import { readModel } from '../../onnx/format/proto.ts';
import { bytesOf } from '../../onnx/format/tensor-proto.ts';
import { calibrate } from '../../onnx/quantize/calibrate.ts';
import { quantizeDynamic } from '../../onnx/quantize/dynamic.ts';
import { activationsToCalibrate, quantizeStatic } from '../../onnx/quantize/static-qdq.ts';
import { feedsOf } from '../../onnx/runtime/feeds.ts';
import { floats } from './small-models.ts';

const GOLDENS = join(import.meta.dirname, 'goldens');

const golden = (name: string): ModelProto => readModel(join(GOLDENS, name));

/** Python stores scalars in typed fields, ours are raw: both as the bytes that `raw_data` would hold. */
function rawBytes(tensor: TensorProto): Uint8Array {
  if (tensor.rawData.length > 0) return tensor.rawData;
  if (tensor.dataType === DataType.FLOAT) return bytesOf(Float32Array.from(tensor.floatData));
  if (tensor.dataType === DataType.INT32) return bytesOf(Int32Array.from(tensor.int32Data));
  return Uint8Array.from(tensor.int32Data);
}

function constantsOf(model: ModelProto): Record<string, string> {
  const rows = graphOf(model).initializer.map((tensor): [string, string] => {
    const bytes = Buffer.from(rawBytes(tensor)).toString('hex');
    return [tensor.name, `${dataTypeName(tensor.dataType)}[${tensor.dims.join()}] ${bytes}`];
  });
  return Object.fromEntries(rows);
}

// Made by bench/peers/make_quantization_goldens.py with onnxruntime 1.30.0.
describe('quantizers', () => {
  it.each([
    ['per-tensor', { perChannel: false }],
    ['per-channel', {}],
    ['per-channel-reduced', { reduceRange: true }],
  ])('make the constants of the Python quantizer, dynamic %s', (mode, options) => {
    const { model } = quantizeDynamic(golden('encoder.onnx'), options);
    expect(constantsOf(model)).toEqual(constantsOf(golden(`encoder.${mode}.onnx`)));
  });

  it('make the constants of the Python quantizer, static with biases', async () => {
    const model = golden('classifier.onnx');
    const arrays = JSON.parse(readFileSync(join(GOLDENS, 'golden-inputs.json'), 'utf8')) as number[][][];
    const feeds = arrays.map((rows) => ({ x: floats([rows.length, 8], rows.flat()) }));
    const ranges = await calibrate(model, activationsToCalibrate(model), feedsOf(feeds));
    const quantized = quantizeStatic(model, ranges);
    expect(constantsOf(quantized.model)).toEqual(constantsOf(golden('classifier.static.onnx')));
  });
});
