import { describeOption, describeValue } from '../describe-value.ts';
import { AppError } from '../errors.ts';
import { readArray, readObject } from '../json/json-object.ts';
import { DATATYPE_BYTES, type Datatype, type Tensor, type TensorDescription } from '../tensors/tensor.ts';
import { checkTensor, readTensor } from '../tensors/tensor-json.ts';

/** Parameters of the Open Inference Protocol: scalars only. */
export type InferParameters = Readonly<Record<string, string | number | boolean>>;

/** A request of `POST /v2/models/{id}/infer`. */
export interface InferRequest {
  /** Given by the caller, to be echoed. */
  readonly id?: string;
  readonly parameters: InferParameters;
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Names of the requested outputs; absent means all. */
  readonly outputs?: readonly string[];
}

/** A response of `POST /v2/models/{id}/infer`. */
export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The request's id. */
  readonly id?: string | undefined;
  readonly outputs: readonly WrittenOutput[];
}

/** An output whose elements are written. */
export interface WrittenOutput extends TensorDescription {
  /** JSON values separated by commas, row-major. */
  readonly data: string;
}

/**
 * Reads the body of an infer request (Open Inference Protocol v2, REST); unknown members are ignored.
 *
 * @param body - The parsed JSON, 64-bit integers as `bigint` where they need it.
 * @throws AppError `INVALID_BODY` or `INVALID_TENSOR`.
 */
export function decodeInferRequest(body: unknown): InferRequest {
  const { id, parameters, inputs, outputs } = readObject(body, 'body');
  if (id !== undefined && typeof id !== 'string') {
    throw new AppError('INVALID_BODY', `id must be a string, got ${describeValue(id)}`, { param: 'id' });
  }
  return {
    ...(id === undefined ? {} : { id }),
    parameters: readParameters(parameters, 'parameters'),
    inputs: readInputs(inputs),
    ...(outputs === undefined ? {} : { outputs: readOutputs(outputs) }),
  };
}

function readParameters(value: unknown, param: string): InferParameters {
  if (value === undefined) return {};
  const parameters = readObject(value, param);
  for (const member of Object.values(parameters)) {
    if (!['string', 'number', 'boolean'].includes(typeof member)) {
      throw new AppError(
        'INVALID_BODY',
        `${param} must hold strings, numbers and booleans only, got ${describeValue(member)}`,
        { param },
      );
    }
  }
  return parameters as InferParameters;
}

function readInputs(value: unknown): ReadonlyMap<string, Tensor> {
  const inputs = new Map<string, Tensor>();
  for (const [index, member] of readArray(value, 'inputs').entries()) {
    const param = `inputs[${index}]`;
    const input = readObject(member, param);
    const name = readName(input['name'], param);
    if (inputs.has(name)) throw invalidTensor('has the name of an earlier input', `${param}.name`);
    readParameters(input['parameters'], `${param}.parameters`);
    const datatype = readDatatype(input['datatype'], `${param}.datatype`);
    const shape = readShape(input['shape'], `${param}.shape`);
    if (input['data'] === undefined) {
      throw invalidTensor('is missing; tensors are taken as JSON, not as binary data', `${param}.data`);
    }
    inputs.set(name, readTensor(datatype, shape, input['data'], `${param}.data`));
  }
  return inputs;
}

function readOutputs(value: unknown): string[] {
  return readArray(value, 'outputs').map((member, index) => {
    const param = `outputs[${index}]`;
    const output = readObject(member, param);
    readParameters(output['parameters'], `${param}.parameters`);
    return readName(output['name'], param);
  });
}

function readName(value: unknown, param: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError('INVALID_BODY', `${param}.name must be the name of a tensor, got ${describeValue(value)}`, {
    param: `${param}.name`,
  });
}

function readDatatype(value: unknown, param: string): Datatype {
  if (typeof value === 'string' && Object.hasOwn(DATATYPE_BYTES, value)) return value as Datatype;
  throw invalidTensor(`must be one of ${Object.keys(DATATYPE_BYTES).join(', ')}`, param);
}

function readShape(value: unknown, param: string): readonly number[] {
  const shape = readArray(value, param);
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || (length as number) < 0) {
      throw invalidTensor(`must hold whole numbers from 0, got ${describeOption(length)}`, param);
    }
  }
  return shape as readonly number[];
}

/**
 * Checks that a request holds exactly the tensors that a model takes.
 *
 * @param descriptions - Inputs of the model.
 * @returns The tensors by name.
 * @throws AppError `INVALID_TENSOR` when one is missing, unknown, or of another datatype or shape.
 */
export function validateInputs(
  inputs: ReadonlyMap<string, Tensor>,
  descriptions: readonly TensorDescription[],
): Record<string, Tensor> {
  const names = descriptions.map(({ name }) => name);
  if ([...inputs.keys()].some((name) => !names.includes(name))) {
    throw invalidTensor(`holds an input that the model does not have, its inputs are ${names.join(', ')}`, 'inputs');
  }
  return Object.fromEntries(
    descriptions.map((description) => {
      const tensor = inputs.get(description.name);
      if (tensor === undefined) throw invalidTensor(`lacks the input ${description.name}`, 'inputs');
      checkTensor(tensor, description, `input ${description.name}`);
      return [description.name, tensor];
    }),
  );
}

/**
 * Checks that a model has the outputs that a request names, before the model runs.
 *
 * @throws AppError `INVALID_TENSOR` when one is unknown, or FP16, which JSON cannot carry.
 */
export function checkRequestedOutputs(
  requested: readonly string[] | undefined,
  descriptions: readonly Pick<TensorDescription, 'name' | 'datatype'>[],
): void {
  const names = descriptions.map(({ name }) => name);
  for (const [index, name] of (requested ?? []).entries()) {
    if (!names.includes(name)) {
      throw invalidTensor(
        `is not an output of the model, its outputs are ${names.join(', ')}`,
        `outputs[${index}].name`,
      );
    }
  }
  const half = descriptions.find(
    ({ name, datatype }) => datatype === 'FP16' && (requested === undefined || requested.includes(name)),
  );
  if (half !== undefined) throw invalidTensor(`${half.name} is FP16, which has no JSON form`, 'outputs');
}

/**
 * Writes the response to an infer request.
 *
 * @returns JSON text.
 */
export function writeInferResponse({ modelName, modelVersion, id, outputs }: InferResponse): string {
  const echoed = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const names = `"model_name":${JSON.stringify(modelName)},"model_version":${JSON.stringify(modelVersion)}`;
  return `{${names},${echoed}"outputs":[${outputs.map(writeOutput).join(',')}]}`;
}

function writeOutput({ name, datatype, shape, data }: WrittenOutput): string {
  return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"data":[${data}]}`;
}

function invalidTensor(rule: string, param: string): AppError {
  return new AppError('INVALID_TENSOR', `${param} ${rule}`, { param });
}
