import { decodeUtf8, type Encoded } from '../../api/body.ts';
import { describeNumber } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';
import { parseJson } from '../../json/json.ts';
import { joined, readTensorBytes, tensorBytes } from '../../tensors/binary-tensor.ts';
import { DATATYPE_BYTES, elementCount, type Tensor, type TensorDescription } from '../../tensors/tensor.ts';
import { decodeInferRequest, writeInferResponse } from './json.ts';
import { TRITON_BINARY_TYPE } from './media-types.ts';
import { type InferRequest, type InferResponse, invalidTensor } from './model.ts';

/** Header that states the length of the JSON part. */
const LENGTH_HEADER = 'Inference-Header-Content-Length';

/**
 * Reads an infer request whose tensors follow the JSON part as bytes, one after the other.
 *
 * @param jsonLength - Bytes of the JSON part; zero for a body that contains only the bytes of the model's single input.
 * @param descriptions - Inputs of the model.
 * @throws AppError `INVALID_BODY`, `INVALID_JSON`, `INVALID_ENCODING`, `INVALID_PARAMETER` or `INVALID_TENSOR`.
 * @see https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 */
export function decodeBinaryInfer(
  bytes: Uint8Array,
  jsonLength: number,
  descriptions: readonly TensorDescription[],
): InferRequest {
  if (!(jsonLength <= bytes.byteLength)) {
    const rule = Number.isNaN(jsonLength)
      ? 'must be a whole number'
      : `is more than the ${bytes.byteLength} bytes of the body`;
    throw new AppError('INVALID_BODY', `${LENGTH_HEADER} ${rule}`, { param: LENGTH_HEADER });
  }
  if (jsonLength === 0) return rawRequest(bytes, descriptions);
  const tail = new Tail(bytes.subarray(jsonLength));
  const json = parseJson(decodeUtf8(bytes.subarray(0, jsonLength)));
  const request = decodeInferRequest(json, (input, size, param) => tail.read(input, size, param));
  tail.end();
  return request;
}

/** The bytes behind the JSON part. */
class Tail {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Reads the next tensor. */
  read({ datatype, shape }: Pick<Tensor, 'datatype' | 'shape'>, size: unknown, param: string): Tensor {
    const member = `${param}.parameters.binary_data_size`;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw invalidTensor(`must be a whole number from 0, got ${describeNumber(size)}`, member);
    }
    const left = this.#bytes.byteLength - this.#at;
    if (size > left) throw invalidTensor(`is more than the ${left} bytes that are left in the body`, member);
    const part = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return { datatype, shape, data: readTensorBytes(datatype, shape, part, (rule) => invalidTensor(rule, param)) };
  }

  /** @throws AppError `INVALID_BODY` when bytes are left that belong to no tensor. */
  end(): void {
    const { byteLength } = this.#bytes;
    if (this.#at === byteLength) return;
    throw new AppError(
      'INVALID_BODY',
      `${byteLength} bytes follow the JSON part, the parameters binary_data_size of the inputs add up to ${this.#at}`,
      { param: 'inputs' },
    );
  }
}

/** Every output of a raw request is returned as bytes. */
function rawRequest(bytes: Uint8Array, descriptions: readonly TensorDescription[]): InferRequest {
  const [input] = descriptions;
  if (input === undefined || descriptions.length > 1) {
    throw notRaw(`the model has ${descriptions.length} inputs`);
  }
  return {
    parameters: { binary_data_output: true },
    inputs: new Map([[input.name, rawTensor(bytes, input)]]),
  };
}

function rawTensor(bytes: Uint8Array, { name, datatype, shape, anyRank }: TensorDescription): Tensor {
  const fail = (rule: string) => invalidTensor(rule, `input ${name}`);
  if (datatype === 'BYTES') {
    // The body is one string, without its length.
    return { datatype, shape: shape.map(() => 1), data: [rawText(bytes)] };
  }
  const taken = anyRank === true ? undefined : rawShape(shape, bytes.byteLength / DATATYPE_BYTES[datatype]);
  if (taken === undefined) throw notRaw(`the shape of its input ${name} is [${shape.join(', ')}]`);
  return { datatype, shape: taken, data: readTensorBytes(datatype, taken, bytes, fail) };
}

function rawText(bytes: Uint8Array): string {
  return decodeUtf8(bytes);
}

/**
 * Derives the shape of a tensor from the number of its elements, for at most one dimension that varies. If there are
 * two and the first counts rows, there is one row.
 */
function rawShape(declared: readonly number[], elements: number): readonly number[] | undefined {
  const varying = declared.filter((length) => length === -1).length;
  const shape = varying === 2 && declared[0] === -1 ? [1, ...declared.slice(1)] : declared;
  if (varying > 1 && shape === declared) return undefined;
  const known = elementCount(shape.filter((length) => length !== -1));
  return shape.map((length) => (length === -1 ? Math.floor(elements / Math.max(known, 1)) : length));
}

function notRaw(reason: string): AppError {
  return new AppError(
    'INVALID_BODY',
    `${LENGTH_HEADER} must not be 0, because ${reason}; a body without a JSON part is for models with one input of at most one dimension that varies`,
    { param: LENGTH_HEADER },
  );
}

/**
 * Writes the response to an infer request, with the elements of some outputs as bytes behind the JSON part.
 *
 * @param isBinary - Whether an output is written as bytes.
 */
export function encodeBinaryInfer(response: InferResponse, isBinary: (index: number) => boolean): Encoded {
  const sizes = new Map<number, number>();
  const tail: Uint8Array[] = [];
  for (const [index, { parts }] of response.outputs.entries()) {
    if (!isBinary(index)) continue;
    const bytes = parts.map((data) => tensorBytes({ data }));
    sizes.set(
      index,
      bytes.reduce((sum, { byteLength }) => sum + byteLength, 0),
    );
    tail.push(...bytes);
  }
  const json = new TextEncoder().encode(writeInferResponse(response, sizes));
  return { mediaType: `${TRITON_BINARY_TYPE}${json.byteLength}`, body: joined([json, ...tail]) };
}
