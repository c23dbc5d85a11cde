import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { TensorProto_DataType as DataType, TensorProtoSchema } from '../../../onnx/format/onnx-messages.ts';
import { bytesOf, readFloats, storedBytes, tensorProto } from '../../../onnx/format/tensor-proto.ts';

describe('readFloats', () => {
  it('reads raw and typed fields alike', () => {
    const typed = create(TensorProtoSchema, { dims: [2n], dataType: DataType.FLOAT, floatData: [1.5, -2] });
    expect([...readFloats(typed)]).toEqual([1.5, -2]);
    expect([...readFloats(tensorProto('t', [2], Float32Array.of(1.5, -2)))]).toEqual([1.5, -2]);
  });

  it('reads bytes that start at an odd address', () => {
    const bytes = new Uint8Array(9);
    bytes.set(bytesOf(Float32Array.of(1, 2)), 1);
    const tensor = create(TensorProtoSchema, { dims: [2n], dataType: DataType.FLOAT, rawData: bytes.subarray(1) });
    expect([...readFloats(tensor)]).toEqual([1, 2]);
  });

  it('fails with ONNX_INVALID when the elements do not fill the shape', () => {
    expect(() => readFloats(tensorProto('t', [3], Float32Array.of(1, 2)))).toThrow(
      'tensor t holds 2 elements, its shape 3',
    );
  });

  it('fails with ONNX_INVALID when the tensor holds something else', () => {
    expect(() => readFloats(tensorProto('t', [1], Int8Array.of(1)))).toThrow('must contain 32-bit floats, got INT8');
  });
});

describe('tensorProto', () => {
  it.each([
    [Int8Array.of(1), DataType.INT8, 1],
    [Uint8Array.of(1), DataType.UINT8, 1],
    [Int32Array.of(1), DataType.INT32, 4],
    [Float32Array.of(1), DataType.FLOAT, 4],
    [BigInt64Array.of(1n), DataType.INT64, 8],
  ])('names the type of %p', (values, type, bytes) => {
    const tensor = tensorProto('t', [1], values);
    expect(tensor.dataType).toBe(type);
    expect(storedBytes(tensor)).toBe(bytes);
  });
});
