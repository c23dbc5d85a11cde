import { decodeUtf8, type Encoded } from '../../api/body.ts';
import { AppError } from '../../errors.ts';
import { joined, readTensorBytes, tensorBytes } from '../../tensors/binary-tensor.ts';
import type { Datatype, Tensor } from '../../tensors/tensor.ts';
import { readTensor } from '../../tensors/tensor-json.ts';
import { outputOptions, readDatatype, readShape } from './json.ts';
import { PROTOBUF_MEDIA_TYPE } from './media-types.ts';
import {
  type InferInput,
  type InferParameters,
  type InferRequest,
  type InferResponse,
  type InferTarget,
  invalidTensor,
  type RequestedOutput,
} from './model.ts';
import { readFields, readPackedVarints, WireError, type WireField, WireWriter } from './protobuf-wire.ts';

/**
 * Numbers of the fields of the protocol's gRPC messages.
 *
 * @see https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
 */
const REQUEST = { modelName: 1, modelVersion: 2, id: 3, parameters: 4, inputs: 5, outputs: 6, rawInputs: 7 } as const;
const TENSOR = { name: 1, datatype: 2, shape: 3, parameters: 4, contents: 5 } as const;
const REQUESTED = { name: 1, parameters: 2 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const RESPONSE = { modelName: 1, modelVersion: 2, id: 3, outputs: 5, rawOutputs: 6 } as const;

/** The field of `InferTensorContents` that holds the elements of a datatype. FP16 has none: it is sent as raw contents. */
const CONTENTS: Readonly<Record<Exclude<Datatype, 'FP16'>, number>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
};

/**
 * Reads a `ModelInferRequest` of the protocol's gRPC service; unknown fields are ignored.
 *
 * @param target - The model that the path names.
 * @throws AppError `INVALID_BODY`, `INVALID_ENCODING`, `INVALID_PARAMETER` or `INVALID_TENSOR`.
 */
export function decodeProtobufInfer(bytes: Uint8Array, target: InferTarget): InferRequest {
  return asMessage('body', () => {
    const message = new Message(bytes);
    checkName(message.text(REQUEST.modelName), target.modelName, 'model_name');
    checkName(message.text(REQUEST.modelVersion), target.modelVersion, 'model_version');
    const id = message.text(REQUEST.id);
    const outputs = message.all(REQUEST.outputs).map(readOutput);
    return {
      ...(id === '' ? {} : { id }),
      parameters: readParameters(message.all(REQUEST.parameters)),
      inputs: readInputs(message.all(REQUEST.inputs), message.all(REQUEST.rawInputs)),
      ...(outputs.length === 0 ? {} : { outputs }),
    };
  });
}

function asMessage<T>(param: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new AppError('INVALID_BODY', `${param} is not a ModelInferRequest of Protocol Buffers: it ${error.message}`);
  }
}

/** The route chooses the model, so that a message may leave it out. */
function checkName(named: string, served: string, param: string): void {
  if (named === '' || named === served) return;
  throw new AppError('INVALID_PARAMETER', `${param} must be ${served}, as the path names it, or empty`, { param });
}

/** The fields of a message, by number. */
class Message {
  readonly #fields: readonly WireField[];

  constructor(bytes: Uint8Array) {
    this.#fields = readFields(bytes);
  }

  /** Every value of a repeated field of messages, strings or bytes. */
  all(number: number): Uint8Array[] {
    return this.#fields.flatMap((field) => (field.number === number ? [bytesOf(field)] : []));
  }

  /** The last value of a string field; empty if it is absent. */
  text(number: number): string {
    const bytes = this.all(number).at(-1);
    return bytes === undefined ? '' : decodeUtf8(bytes);
  }

  /** Values of a repeated field of integers, packed or not. */
  integers(number: number): bigint[] {
    return this.#fields.flatMap((field) => {
      if (field.number !== number) return [];
      return field.kind === 'bytes' ? readPackedVarints(field.value) : [field.value];
    });
  }

  /** Bytes of a repeated field of floats, packed or not. */
  floats(number: number, kind: 'fixed32' | 'fixed64'): Uint8Array {
    const size = kind === 'fixed32' ? 4 : 8;
    const parts = this.#fields.flatMap((field) => {
      if (field.number !== number) return [];
      if (field.kind === 'bytes') return [field.value];
      if (field.kind !== kind) throw new WireError(`holds a field ${number} of another type`);
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, field.value, true);
      return [bytes.subarray(0, size)];
    });
    return joined(parts);
  }

  /** The only field of a `oneof`, the last one if there are several. */
  last(): WireField | undefined {
    return this.#fields.at(-1);
  }
}

function bytesOf({ number, kind, value }: WireField): Uint8Array {
  if (kind === 'bytes') return value;
  throw new WireError(`holds a field ${number} of another type`);
}

/** Each parameter is an entry of a map from its name to an `InferParameter`. */
function readParameters(entries: readonly Uint8Array[]): InferParameters {
  const parameters = entries.flatMap((bytes): [string, InferParameters[string]][] => {
    const entry = new Message(bytes);
    const value = readParameter(new Message(entry.all(ENTRY.value).at(-1) ?? new Uint8Array()).last());
    return value === undefined ? [] : [[entry.text(ENTRY.key), value]];
  });
  return Object.fromEntries(parameters);
}

/** Reads the `oneof` of an `InferParameter`: bool, int64, string, double, uint64. */
function readParameter(field: WireField | undefined): InferParameters[string] | undefined {
  switch (field?.number) {
    case 1:
      return field.kind === 'varint' && field.value !== 0n;
    case 2:
      return field.kind === 'varint' ? exact(BigInt.asIntN(64, field.value)) : undefined;
    case 3:
      return decodeUtf8(bytesOf(field));
    case 4:
      return field.kind === 'fixed64' ? doubleOf(field.value) : undefined;
    case 5:
      return field.kind === 'varint' ? exact(field.value) : undefined;
    default:
      return undefined;
  }
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function readOutput(bytes: Uint8Array, index: number): RequestedOutput {
  const message = new Message(bytes);
  const parameters = readParameters(message.all(REQUESTED.parameters));
  return { name: message.text(REQUESTED.name), ...outputOptions(parameters, `outputs[${index}].parameters`) };
}

function readInputs(inputs: readonly Uint8Array[], raw: readonly Uint8Array[]): ReadonlyMap<string, InferInput> {
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw invalidTensor(`holds ${raw.length} tensors, there are ${inputs.length} inputs`, 'raw_input_contents');
  }
  const read = new Map<string, InferInput>();
  for (const [index, bytes] of inputs.entries()) {
    const param = `inputs[${index}]`;
    const message = new Message(bytes);
    const name = message.text(TENSOR.name);
    if (read.has(name)) throw invalidTensor('has the name of an earlier input', `${param}.name`);
    const parameters = readParameters(message.all(TENSOR.parameters));
    read.set(name, { ...readInput(message, raw[index], param), parameters });
  }
  return read;
}

function readInput(message: Message, raw: Uint8Array | undefined, param: string): Tensor {
  const datatype = readDatatype(message.text(TENSOR.datatype), `${param}.datatype`);
  const shape = readShape(message.integers(TENSOR.shape).map(dimension), `${param}.shape`);
  const contents = message.all(TENSOR.contents).at(-1);
  if (raw === undefined) return readContents(datatype, shape, new Message(contents ?? new Uint8Array()), param);
  if (contents !== undefined) throw invalidTensor('must be absent beside raw_input_contents', `${param}.contents`);
  return { datatype, shape, data: readTensorBytes(datatype, shape, raw, (rule) => invalidTensor(rule, param)) };
}

function dimension(bits: bigint): number {
  return Number(BigInt.asIntN(64, bits));
}

function readContents(datatype: Datatype, shape: readonly number[], contents: Message, param: string): Tensor {
  if (datatype === 'FP16') throw invalidTensor('is FP16, which must be sent as raw_input_contents', param);
  const field = CONTENTS[datatype];
  const place = `${param}.contents`;
  if (datatype === 'FP32' || datatype === 'FP64') {
    const bytes = contents.floats(field, datatype === 'FP32' ? 'fixed32' : 'fixed64');
    return { datatype, shape, data: readTensorBytes(datatype, shape, bytes, (rule) => invalidTensor(rule, place)) };
  }
  return readTensor(datatype, shape, elementsOf(datatype, contents, field), place);
}

/** The elements as JSON has them, so that their number and range are checked in the same way. */
function elementsOf(datatype: Datatype, contents: Message, field: number): readonly unknown[] {
  if (datatype === 'BYTES') return contents.all(field).map(decodeUtf8);
  const integers = contents.integers(field);
  if (datatype === 'BOOL') return integers.map((value) => value !== 0n);
  const isSigned = datatype.startsWith('INT');
  return integers.map((value) => exact(isSigned ? BigInt.asIntN(64, value) : value));
}

/** Writes the response to an infer request as a `ModelInferResponse`, its elements as raw contents. */
export function encodeProtobufInfer({ modelName, modelVersion, id, outputs }: InferResponse): Encoded {
  const writer = new WireWriter()
    .text(RESPONSE.modelName, modelName)
    .text(RESPONSE.modelVersion, modelVersion)
    .text(RESPONSE.id, id ?? '');
  for (const { name, datatype, shape } of outputs) {
    const tensor = new WireWriter()
      .text(TENSOR.name, name)
      .text(TENSOR.datatype, datatype)
      .integers(TENSOR.shape, shape);
    writer.bytes(RESPONSE.outputs, tensor.parts);
  }
  for (const { parts } of outputs) {
    writer.bytes(
      RESPONSE.rawOutputs,
      parts.map((data) => tensorBytes({ data })),
    );
  }
  return { mediaType: PROTOBUF_MEDIA_TYPE, body: joined(writer.parts) };
}
