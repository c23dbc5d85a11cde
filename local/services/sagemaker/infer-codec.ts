import { AppError } from '../../../core/errors.ts';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { TRITON_BINARY_TYPE } from '../../../core/protocols/open-inference/media-types.ts';
import { joined, readTensorBytes, tensorBytes } from '../../../core/tensors/binary-tensor.ts';
import { DATATYPE_BYTES, type Datatype, type Tensor } from '../../../core/tensors/tensor.ts';
import { readTensor, writeElements } from '../../../core/tensors/tensor-json.ts';
import type { Tensors } from './dynamic-batcher.ts';

/** A request for inference as Triton reads it. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: Tensors;
  /** Outputs that are requested; undefined for all. */
  readonly outputs: readonly string[] | undefined;
  /** Whether an output's elements are requested as bytes. */
  readonly isBinary: (output: string) => boolean;
  /** How long it may wait, in milliseconds; zero means as long as the model's queue says. */
  readonly timeoutMs: number;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a request of the Open Inference Protocol, in JSON or with binary tensors.
 *
 * @throws AppError `INVALID_TENSOR` or `INVALID_BODY` when it is none.
 * @see https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 */
export function decodeInferRequest({ contentType, body }: ContainerMessage): InferRequest {
  const isMixed = contentType.startsWith(TRITON_BINARY_TYPE);
  const size = isMixed ? Number(contentType.slice(TRITON_BINARY_TYPE.length)) : body.byteLength;
  if (!Number.isInteger(size) || size > body.byteLength) throw refused('the length of the JSON part is wrong');
  const request = membersOf(parseJson(body.subarray(0, size)), 'the request');
  const parameters = membersOf(request['parameters'] ?? {}, 'parameters');
  const requested = request['outputs'] === undefined ? undefined : listOf(request['outputs'], 'outputs');
  const binary = new Set(
    requested
      ?.filter((output) => membersOf(output['parameters'] ?? {}, 'parameters')['binary_data'] === true)
      .map(nameOf),
  );
  const timeout = parameters['timeout'];
  return {
    id: typeof request['id'] === 'string' ? request['id'] : undefined,
    inputs: readInputs(listOf(request['inputs'], 'inputs'), body.subarray(size)),
    outputs: requested?.map(nameOf),
    isBinary: (output) => binary.has(output) || parameters['binary_data_output'] === true,
    timeoutMs: typeof timeout === 'number' ? timeout / 1000 : 0,
  };
}

function readInputs(inputs: readonly Members[], rest: Uint8Array): Tensors {
  const tensors: Record<string, Tensor> = {};
  let at = 0;
  for (const input of inputs) {
    const name = nameOf(input);
    const { datatype, shape, data } = input;
    if (typeof datatype !== 'string' || !Object.hasOwn(DATATYPE_BYTES, datatype)) {
      throw refused(`${name} has no known datatype`);
    }
    if (!isShape(shape)) throw refused(`${name} has no shape`);
    const type = datatype as Datatype;
    const size = membersOf(input['parameters'] ?? {}, 'parameters')['binary_data_size'];
    if (typeof size !== 'number') {
      tensors[name] = readTensor(type, shape, data, name);
      continue;
    }
    tensors[name] = {
      datatype: type,
      shape,
      data: readTensorBytes(type, shape, rest.subarray(at, at + size), (rule) => refused(`${name} ${rule}`)),
    };
    at += size;
  }
  if (at !== rest.byteLength) throw refused(`${rest.byteLength} bytes follow the JSON part, its inputs name ${at}`);
  return tensors;
}

/** The response to a request. */
export interface InferResult {
  readonly model: string;
  readonly version: string;
  readonly outputs: Tensors;
}

/**
 * Writes the response to a request, in JSON or with binary tensors as the request asks.
 *
 * @throws AppError `INVALID_TENSOR` when an output is requested that the model does not have.
 */
export function encodeInferResponse(request: InferRequest, { model, version, outputs }: InferResult): ContainerMessage {
  const names = request.outputs ?? Object.keys(outputs);
  const parts: Uint8Array[] = [];
  const described = names.map((name) => {
    const tensor = outputs[name];
    if (tensor === undefined) throw refused(`unexpected inference output '${name}' for model '${model}'`);
    const { datatype, shape } = tensor;
    const head = JSON.stringify({ name, datatype, shape });
    if (!request.isBinary(name)) {
      return `${head.slice(0, -1)},"data":[${writeElements(tensor, 0, tensor.data.length)}]}`;
    }
    const bytes = tensorBytes(tensor);
    parts.push(bytes);
    return `${head.slice(0, -1)},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const id = request.id === undefined ? '' : `"id":${JSON.stringify(request.id)},`;
  const json = `{${id}"model_name":${JSON.stringify(model)},"model_version":"${version}","outputs":[${described.join(',')}]}`;
  const header = new TextEncoder().encode(json);
  if (parts.length === 0) return { contentType: 'application/json', body: header };
  return { contentType: `${TRITON_BINARY_TYPE}${header.byteLength}`, body: joined([header, ...parts]) };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw refused('failed to parse the request JSON buffer');
  }
}

function membersOf(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(`${what} must be an object`);
  return value as Members;
}

function listOf(value: unknown, what: string): readonly Members[] {
  if (!Array.isArray(value)) throw refused(`${what} must be a list`);
  return value.map((member) => membersOf(member, `each of ${what}`));
}

function nameOf({ name }: Members): string {
  if (typeof name !== 'string') throw refused('a tensor must have a name');
  return name;
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((length) => Number.isInteger(length) && length >= 0);
}

function refused(message: string): AppError {
  return new AppError('INVALID_TENSOR', message);
}
