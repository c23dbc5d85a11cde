import { describeNumber, describeValue } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';
import { type JsonObject, readArray, readObject } from '../../json/json-object.ts';
import { DATATYPE_BYTES, type Datatype, type Tensor } from '../../tensors/tensor.ts';
import { readTensor, writeElements } from '../../tensors/tensor-json.ts';
import {
  type InferInput,
  type InferOutput,
  type InferParameters,
  type InferRequest,
  type InferResponse,
  invalidTensor,
  type RequestedOutput,
} from './model.ts';

/** Maximum number of dimensions of a tensor. */
const MAX_RANK = 64;

/** Reads the elements of an input whose parameter `binary_data_size` says that they follow the JSON part. */
export type ReadBinary = (input: Pick<Tensor, 'datatype' | 'shape'>, size: unknown, param: string) => Tensor;

/**
 * Reads the body of an infer request (Open Inference Protocol v2, REST); unknown members are ignored.
 *
 * @param body - The parsed JSON, 64-bit integers as `bigint` if necessary.
 * @param readBinary - Reads binary tensors. By default there are none.
 * @throws AppError `INVALID_BODY`, `INVALID_TENSOR` or `INVALID_PARAMETER`.
 */
export function decodeInferRequest(body: unknown, readBinary: ReadBinary = refuseBinary): InferRequest {
  const { id, parameters, inputs, outputs } = readObject(body, 'body');
  if (id !== undefined && typeof id !== 'string') {
    throw new AppError('INVALID_BODY', `id must be a string, got ${describeValue(id)}`, { param: 'id' });
  }
  return {
    ...(id === undefined ? {} : { id }),
    parameters: readParameters(parameters, 'parameters'),
    inputs: readInputs(inputs, readBinary),
    ...(outputs === undefined ? {} : { outputs: readOutputs(outputs) }),
  };
}

function refuseBinary(_input: unknown, _size: unknown, param: string): never {
  throw invalidTensor(
    'must be absent from a JSON body; send binary tensors as application/octet-stream with the header Inference-Header-Content-Length',
    `${param}.parameters.binary_data_size`,
  );
}

const SCALARS: readonly string[] = ['string', 'number', 'bigint', 'boolean'];

function readParameters(value: unknown, param: string): InferParameters {
  if (value === undefined) return {};
  const parameters = readObject(value, param);
  for (const member of Object.values(parameters)) {
    if (!SCALARS.includes(typeof member)) {
      throw new AppError(
        'INVALID_BODY',
        `${param} must contain only strings, numbers and booleans, got ${describeValue(member)}`,
        { param },
      );
    }
  }
  return parameters as InferParameters;
}

function readInputs(value: unknown, readBinary: ReadBinary): ReadonlyMap<string, InferInput> {
  const inputs = new Map<string, InferInput>();
  for (const [index, member] of readArray(value, 'inputs').entries()) {
    const param = `inputs[${index}]`;
    const input = readObject(member, param);
    const name = readName(input['name'], param);
    if (inputs.has(name)) throw invalidTensor('has the name of an earlier input', `${param}.name`);
    inputs.set(name, readInput(input, param, readBinary));
  }
  return inputs;
}

function readInput(input: JsonObject, param: string, readBinary: ReadBinary): InferInput {
  const datatype = readDatatype(input['datatype'], `${param}.datatype`);
  const shape = readShape(input['shape'], `${param}.shape`);
  const { data } = input;
  if (input['parameters'] === undefined && data !== undefined) {
    return readTensor(datatype, shape, data, `${param}.data`);
  }
  const parameters = readParameters(input['parameters'], `${param}.parameters`);
  const size = parameters['binary_data_size'];
  if (size === undefined) {
    if (data === undefined) {
      throw invalidTensor('is missing, and so is the parameter binary_data_size', `${param}.data`);
    }
    return { ...readTensor(datatype, shape, data, `${param}.data`), parameters };
  }
  if (data !== undefined) throw invalidTensor('must be absent beside binary_data_size', `${param}.data`);
  return { ...readBinary({ datatype, shape }, size, param), parameters };
}

function readOutputs(value: unknown): RequestedOutput[] {
  return readArray(value, 'outputs').map((member, index) => {
    const param = `outputs[${index}]`;
    const output = readObject(member, param);
    const parameters = readParameters(output['parameters'], `${param}.parameters`);
    return { name: readName(output['name'], param), ...outputOptions(parameters, `${param}.parameters`) };
  });
}

/**
 * Reads the parameters of a requested output.
 *
 * @throws AppError `INVALID_PARAMETER` when one that this product knows has a wrong value.
 */
export function outputOptions(parameters: InferParameters, param: string): Omit<RequestedOutput, 'name'> {
  const isBinary = readFlag(parameters['binary_data'], `${param}.binary_data`);
  const classes = parameters['classification'];
  if (classes !== undefined && (typeof classes !== 'number' || !Number.isInteger(classes) || classes < 1)) {
    throw invalidParameter(`${param}.classification`, `a whole number from 1, got ${describeNumber(classes)}`);
  }
  return { ...(isBinary === undefined ? {} : { isBinary }), ...(classes === undefined ? {} : { classes }) };
}

/**
 * Reads a parameter that must be true or false.
 *
 * @throws AppError `INVALID_PARAMETER` when it is something else.
 */
export function readFlag(value: unknown, param: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalidParameter(param, `true or false, got ${describeValue(value)}`);
}

function invalidParameter(param: string, rule: string): AppError {
  return new AppError('INVALID_PARAMETER', `${param} must be ${rule}`, { param });
}

function readName(value: unknown, param: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError('INVALID_BODY', `${param}.name must be the name of a tensor, got ${describeValue(value)}`, {
    param: `${param}.name`,
  });
}

/**
 * Reads the datatype of an input.
 *
 * @throws AppError `INVALID_TENSOR` when there is no such datatype.
 */
export function readDatatype(value: unknown, param: string): Datatype {
  if (typeof value === 'string' && Object.hasOwn(DATATYPE_BYTES, value)) return value as Datatype;
  throw invalidTensor(`must be one of ${Object.keys(DATATYPE_BYTES).join(', ')}`, param);
}

/**
 * Reads the shape of an input.
 *
 * @throws AppError `INVALID_TENSOR` if a dimension is not a whole number from 0, or there are too many.
 */
export function readShape(value: unknown, param: string): readonly number[] {
  const shape = readArray(value, param);
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || (length as number) < 0) {
      throw invalidTensor(`must contain whole numbers from 0, got ${describeNumber(length)}`, param);
    }
  }
  if (shape.length > MAX_RANK)
    throw invalidTensor(`holds ${shape.length} dimensions, at most ${MAX_RANK} are allowed`, param);
  return shape as readonly number[];
}

/**
 * Writes the response to an infer request.
 *
 * @param binarySizes - Bytes of each output that follows the JSON part, by its index. By default there is none.
 * @returns JSON text.
 */
export function writeInferResponse(
  { modelName, modelVersion, id, outputs }: InferResponse,
  binarySizes?: ReadonlyMap<number, number>,
): string {
  const echoed = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const names = `"model_name":${JSON.stringify(modelName)},"model_version":${JSON.stringify(modelVersion)}`;
  const written = outputs.map((output, index) => writeOutput(output, binarySizes?.get(index)));
  return `{${names},${echoed}"outputs":[${written.join(',')}]}`;
}

function writeOutput(output: InferOutput, binarySize: number | undefined): string {
  const { name, datatype, shape } = output;
  const head = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
  if (binarySize !== undefined) return `${head},"parameters":{"binary_data_size":${binarySize}}}`;
  return `${head},"data":[${writeData(output)}]}`;
}

/** Parts without elements are left out, because a comma stands between any two that are written. */
function writeData({ datatype, parts }: InferOutput): string {
  const texts = parts.map((data) => writeElements({ datatype, shape: [], data }, 0, data.length));
  return texts.length === 1 ? (texts[0] ?? '') : texts.filter((text) => text !== '').join(',');
}
