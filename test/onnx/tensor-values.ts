import { type Datatype, ELEMENTS, elementCount, type Tensor } from '../../core/tensors/tensor.ts';
import { TensorProto_DataType as DataType, type TensorProto } from '../../onnx/format/onnx-messages.ts';
import { shapeOf } from '../../onnx/format/tensor-proto.ts';

const DATATYPES: Readonly<Record<number, Exclude<Datatype, 'BYTES' | 'FP16'>>> = {
  [DataType.BOOL]: 'BOOL',
  [DataType.UINT8]: 'UINT8',
  [DataType.UINT16]: 'UINT16',
  [DataType.UINT32]: 'UINT32',
  [DataType.UINT64]: 'UINT64',
  [DataType.INT8]: 'INT8',
  [DataType.INT16]: 'INT16',
  [DataType.INT32]: 'INT32',
  [DataType.INT64]: 'INT64',
  [DataType.FLOAT]: 'FP32',
  [DataType.DOUBLE]: 'FP64',
};

/** Reads the value of a constant from the field in which it is stored. Returns undefined for types that no protocol carries. */
export function tensorOf(proto: TensorProto): Tensor | undefined {
  const shape = shapeOf(proto);
  if (proto.dataType === DataType.STRING) {
    return { datatype: 'BYTES', shape, data: proto.stringData.map((bytes) => Buffer.from(bytes).toString()) };
  }
  if (proto.dataType === DataType.FLOAT16) {
    const data = new Uint16Array(elementCount(shape));
    if (proto.rawData.length > 0) new Uint8Array(data.buffer).set(proto.rawData);
    else data.set(proto.int32Data);
    return { datatype: 'FP16', shape, data };
  }
  const datatype = DATATYPES[proto.dataType];
  if (datatype === undefined) return undefined;
  const data = new ELEMENTS[datatype](elementCount(shape));
  if (proto.rawData.length > 0) new Uint8Array(data.buffer).set(proto.rawData);
  else if (data instanceof BigInt64Array) data.set(proto.int64Data);
  else if (data instanceof BigUint64Array) data.set(proto.uint64Data);
  else data.set(numbersIn(proto));
  return { datatype, shape, data };
}

function numbersIn({ dataType, floatData, doubleData, int32Data, uint64Data }: TensorProto): readonly number[] {
  if (dataType === DataType.FLOAT) return floatData;
  if (dataType === DataType.DOUBLE) return doubleData;
  return dataType === DataType.UINT32 ? uint64Data.map(Number) : int32Data;
}
