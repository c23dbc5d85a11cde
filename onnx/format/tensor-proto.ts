import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { elementCount } from '../../core/tensors/tensor.ts';
import { dataTypeName } from './data-type-name.ts';
import { TensorProto_DataType as DataType, type TensorProto, TensorProtoSchema } from './onnx-messages.ts';

/** Elements that a quantizer writes, by array type. */
type WrittenArray = Int8Array | Uint8Array | Int32Array | Float32Array | BigInt64Array;

function dataTypeOf(values: WrittenArray): DataType {
  if (values instanceof Int8Array) return DataType.INT8;
  if (values instanceof Uint8Array) return DataType.UINT8;
  if (values instanceof Int32Array) return DataType.INT32;
  if (values instanceof Float32Array) return DataType.FLOAT;
  return DataType.INT64;
}

/** Returns the bytes of a typed array, not copied where its buffer is not shared. */
export function bytesOf(values: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = values;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * Creates a constant tensor, little-endian as ONNX stores it.
 *
 * @param dims - Length of each dimension; empty for a scalar.
 */
export function tensorProto(name: string, dims: readonly number[], values: WrittenArray): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: dataTypeOf(values),
    rawData: bytesOf(values),
  });
}

/** Returns the length of each dimension of a constant tensor. */
export function shapeOf(tensor: TensorProto): number[] {
  return tensor.dims.map(Number);
}

/** Returns whether a constant tensor holds 32-bit floats, the only weights that are quantized. */
export function isFloat(tensor: TensorProto | undefined): tensor is TensorProto {
  return tensor?.dataType === DataType.FLOAT;
}

/**
 * Reads the elements of a 32-bit float tensor, whichever field they are stored in.
 *
 * @throws AppError `ONNX_INVALID` when the tensor is of another type or its elements do not fill its shape.
 */
export function readFloats(tensor: TensorProto): Float32Array {
  if (tensor.dataType !== DataType.FLOAT) {
    throw new AppError(
      'ONNX_INVALID',
      `tensor ${tensor.name} must contain 32-bit floats, got ${dataTypeName(tensor.dataType)}`,
    );
  }
  const values = tensor.rawData.length > 0 ? alignedFloats(tensor.rawData) : Float32Array.from(tensor.floatData);
  const expected = elementCount(shapeOf(tensor));
  if (values.length !== expected) {
    throw new AppError('ONNX_INVALID', `tensor ${tensor.name} holds ${values.length} elements, its shape ${expected}`);
  }
  return values;
}

/**
 * Reads the elements of a tensor of 8-bit or 32-bit whole numbers, whichever field they are stored in.
 *
 * @throws AppError `ONNX_INVALID` when the tensor is of another type or its elements do not fill its shape.
 */
export function readIntegers(tensor: TensorProto): Int8Array | Uint8Array | Int32Array {
  const values = integersIn(tensor);
  const expected = elementCount(shapeOf(tensor));
  if (values.length !== expected) {
    throw new AppError('ONNX_INVALID', `tensor ${tensor.name} holds ${values.length} elements, its shape ${expected}`);
  }
  return values;
}

function integersIn({ name, dataType, rawData, int32Data }: TensorProto): Int8Array | Uint8Array | Int32Array {
  const bytes = rawData.length > 0 ? Uint8Array.from(rawData) : undefined;
  if (dataType === DataType.UINT8) return bytes ?? Uint8Array.from(int32Data);
  if (dataType === DataType.INT8) return bytes === undefined ? Int8Array.from(int32Data) : new Int8Array(bytes.buffer);
  if (dataType === DataType.INT32) {
    return bytes === undefined ? Int32Array.from(int32Data) : new Int32Array(bytes.buffer, 0, bytes.length >> 2);
  }
  throw new AppError('ONNX_INVALID', `tensor ${name} must contain INT8, UINT8 or INT32, got ${dataTypeName(dataType)}`);
}

function alignedFloats(raw: Uint8Array): Float32Array {
  const bytes = raw.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? raw : Uint8Array.from(raw);
  return new Float32Array(
    bytes.buffer,
    bytes.byteOffset,
    Math.floor(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT),
  );
}

/** Bytes one element takes in `raw_data`, by data type; sub-byte types count as the share they take. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  [DataType.FLOAT]: 4,
  [DataType.UINT8]: 1,
  [DataType.INT8]: 1,
  [DataType.UINT16]: 2,
  [DataType.INT16]: 2,
  [DataType.INT32]: 4,
  [DataType.INT64]: 8,
  [DataType.BOOL]: 1,
  [DataType.FLOAT16]: 2,
  [DataType.DOUBLE]: 8,
  [DataType.UINT32]: 4,
  [DataType.UINT64]: 8,
  [DataType.COMPLEX64]: 8,
  [DataType.COMPLEX128]: 16,
  [DataType.BFLOAT16]: 2,
  [DataType.FLOAT8E4M3FN]: 1,
  [DataType.FLOAT8E4M3FNUZ]: 1,
  [DataType.FLOAT8E5M2]: 1,
  [DataType.FLOAT8E5M2FNUZ]: 1,
  [DataType.FLOAT8E8M0]: 1,
  [DataType.UINT4]: 0.5,
  [DataType.INT4]: 0.5,
  [DataType.FLOAT4E2M1]: 0.5,
  [DataType.UINT2]: 0.25,
  [DataType.INT2]: 0.25,
};

/** Bytes a constant tensor takes when stored densely; zero for strings. */
export function storedBytes(tensor: TensorProto): number {
  return Math.ceil(elementCount(shapeOf(tensor)) * (ELEMENT_BYTES[tensor.dataType] ?? 0));
}
