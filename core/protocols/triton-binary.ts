import { AppError } from '../errors.ts';
import { jsonOrUndefined } from '../json/json.ts';
import { joined, readTensorBytes, tensorBytes } from '../tensors/binary-tensor.ts';
import { DATATYPE_BYTES, type Datatype, type Tensor } from '../tensors/tensor.ts';
import type { ContainerMessage } from './container-message.ts';
import { TRITON_BINARY_TYPE } from './open-inference/media-types.ts';

/**
 * Writes a request of the Open Inference Protocol with binary tensors in and out, as Triton reads it.
 *
 * @param inputs - One tensor for each input.
 * @param timeoutMs - How long the request may wait in Triton's queue. Defaults to the model's own limit.
 * @see https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 */
export function encodeTritonRequest(inputs: Readonly<Record<string, Tensor>>, timeoutMs?: number): ContainerMessage {
  const parts = Object.entries(inputs).map(([name, tensor]) => ({ name, tensor, bytes: tensorBytes(tensor) }));
  const header = new TextEncoder().encode(
    JSON.stringify({
      parameters: {
        binary_data_output: true,
        ...(timeoutMs === undefined ? {} : { timeout: Math.max(1, Math.floor(timeoutMs * 1000)) }),
      },
      inputs: parts.map(({ name, tensor: { datatype, shape }, bytes }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.byteLength },
      })),
    }),
  );
  return {
    contentType: `${TRITON_BINARY_TYPE}${header.byteLength}`,
    body: joined([header, ...parts.map(({ bytes }) => bytes)]),
  };
}

/** One output in the JSON part of a response. */
interface WireOutput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters: { readonly binary_data_size: number };
}

/**
 * Reads the response to {@link encodeTritonRequest}.
 *
 * @returns Tensors by name.
 * @throws AppError `BAD_GATEWAY` when it is not one.
 */
export function decodeTritonAnswer({ contentType, body }: ContainerMessage): Record<string, Tensor> {
  const headerBytes = Number(
    contentType.startsWith(TRITON_BINARY_TYPE) ? contentType.slice(TRITON_BINARY_TYPE.length) : Number.NaN,
  );
  if (!Number.isInteger(headerBytes) || headerBytes > body.byteLength) {
    throw broken(`its media type is not ${TRITON_BINARY_TYPE}<length of the JSON part>`);
  }
  let at = headerBytes;
  const tensors: Record<string, Tensor> = Object.create(null);
  const outputs = readOutputs(body.subarray(0, headerBytes));
  for (const [index, { name, datatype, shape, parameters }] of outputs.entries()) {
    const end = at + parameters.binary_data_size;
    // By its position, because the name comes from the container.
    const what = `outputs[${index}]`;
    if (end > body.byteLength) throw broken(`${what} is cut off`);
    tensors[name] = {
      datatype,
      shape,
      data: readTensorBytes(datatype, shape, body.subarray(at, end), (rule) => broken(`${what} ${rule}`)),
    };
    at = end;
  }
  return tensors;
}

/**
 * Reads a response without its media type, as in the objects that asynchronous endpoints write. The braces of the JSON
 * part show where it ends.
 *
 * @returns Tensors by name.
 * @throws AppError `BAD_GATEWAY` if it is not a valid response.
 */
export function decodeTritonBody(body: Uint8Array): Record<string, Tensor> {
  return decodeTritonAnswer({ contentType: `${TRITON_BINARY_TYPE}${jsonLength(body)}`, body });
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [0x22, 0x5c, 0x7b, 0x7d];

/** Returns the length of the JSON object at the start of the bytes, or of all bytes if the object does not end. */
function jsonLength(bytes: Uint8Array): number {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.byteLength; at++) {
    const byte = bytes[at];
    if (isText && byte === BACKSLASH) at += 1;
    else if (byte === QUOTE) isText = !isText;
    else if (!isText && byte === OPEN) depth += 1;
    else if (!isText && byte === CLOSE) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return bytes.byteLength;
}

function readOutputs(header: Uint8Array): readonly WireOutput[] {
  const value = jsonOrUndefined(new TextDecoder().decode(header));
  const outputs = typeof value === 'object' && value !== null && 'outputs' in value ? value.outputs : undefined;
  if (!Array.isArray(outputs) || !outputs.every(isOutput)) throw broken('its JSON part lists no binary outputs');
  return outputs;
}

function isOutput(value: unknown): value is WireOutput {
  if (typeof value !== 'object' || value === null) return false;
  const { name, datatype, shape, parameters } = value as Partial<Record<keyof WireOutput, unknown>>;
  return (
    typeof name === 'string' &&
    typeof datatype === 'string' &&
    Object.hasOwn(DATATYPE_BYTES, datatype) &&
    Array.isArray(shape) &&
    shape.every((length) => Number.isInteger(length) && length >= 0) &&
    typeof parameters === 'object' &&
    parameters !== null &&
    'binary_data_size' in parameters &&
    Number.isInteger(parameters.binary_data_size)
  );
}

function broken(what: string): AppError {
  return new AppError('BAD_GATEWAY', `the endpoint gave no proper answer: ${what}`);
}
