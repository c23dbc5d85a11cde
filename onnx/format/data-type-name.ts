import { TensorProto_DataTypeSchema } from './onnx-messages.ts';

/** Returns ONNX's name of an element type (`FLOAT16`); `type 99` if the schema does not know it. */
export function dataTypeName(type: number): string {
  return TensorProto_DataTypeSchema.values.find(({ number }) => number === type)?.name ?? `type ${type}`;
}
