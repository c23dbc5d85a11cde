import { AppError } from '../errors.ts';
import { describeValue } from '../json/describe-value.ts';
import { readArray, readObject } from '../json/json-object.ts';
import { EMBEDDING_OUTPUT, TEXT_INPUT } from '../tasks/embedding/embedding-model.ts';
import {
  checkItemCount,
  type EmbeddingLimits,
  type EmbeddingRequest,
  readDimensions,
  readTruncate,
  textItem,
} from '../tasks/embedding/embedding-request.ts';
import { writeFloat32 } from '../tensors/float-text.ts';
import { DATATYPE_BYTES, type Datatype, elementCount, type Tensor, type TensorDescription } from '../tensors/tensor.ts';
import { checkTensor, readTensor, writeElements } from '../tensors/tensor-json.ts';

/** Parameters of the Open Inference Protocol: scalars only. */
export type InferParameters = Readonly<Record<string, string | number | boolean>>;

/** A request of `POST /v2/models/{id}/infer`. */
export interface InferRequest {
  /** Given by the caller, to be echoed. */
  readonly id?: string;
  readonly parameters: InferParameters;
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Names of the outputs wanted; absent means all. */
  readonly outputs?: readonly string[];
}

/** What an answer of `POST /v2/models/{id}/infer` says beside its outputs. */
export interface InferAnswer {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The request's id. */
  readonly id?: string | undefined;
}

/** An answer of a tensor model. */
export interface TensorAnswer extends InferAnswer {
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Names of the outputs wanted, in the order to answer them; all by default. */
  readonly requested?: readonly string[] | undefined;
}

/** An answer of an embedding model. */
export interface EmbeddingAnswer extends InferAnswer {
  /** One vector for each text, all of the same length. */
  readonly embeddings: readonly Float32Array[];
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
      throw invalidTensor(`must hold whole numbers from 0, got ${describeValue(length)}`, param);
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
 * Checks that a model has the outputs a request names, before it runs for nothing.
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
 * Reads an infer request to an embedding model: one input `text`, parameters `truncate` and `dimensions`.
 *
 * @throws AppError `INVALID_TENSOR`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeEmbeddingInfer(request: InferRequest, limits: EmbeddingLimits): EmbeddingRequest {
  checkRequestedOutputs(request.outputs, [{ name: EMBEDDING_OUTPUT, datatype: 'FP32' }]);
  const text = request.inputs.get(TEXT_INPUT.name);
  if (text?.shape.length === 1) checkItemCount(elementCount(text.shape), limits.maxItems, 'inputs[0].data');
  const { data } = validateInputs(request.inputs, [TEXT_INPUT])[TEXT_INPUT.name] as { data: readonly string[] };
  return {
    items: data.map((item, index) => textItem(item, `inputs[0].data[${index}]`)),
    dimensions: readDimensions(request.parameters['dimensions'], limits, 'parameters.dimensions'),
    truncate: readTruncate(request.parameters['truncate'], 'parameters.truncate'),
  };
}

/**
 * Writes the answer of a tensor model.
 *
 * @returns JSON text.
 * @throws AppError `INVALID_TENSOR` when a requested output is unknown or FP16, `ANSWER_NOT_FINITE` for NaN and infinity.
 */
export function encodeInferResponse(answer: TensorAnswer): string {
  const { outputs, requested } = answer;
  checkRequestedOutputs(
    requested,
    Array.from(outputs, ([name, { datatype }]) => ({ name, datatype })),
  );
  const names = requested ?? [...outputs.keys()];
  const written = names.flatMap((name) => {
    const tensor = outputs.get(name);
    if (tensor === undefined) return [];
    return [writeOutput(name, tensor.datatype, tensor.shape, writeElements(tensor, 0, elementCount(tensor.shape)))];
  });
  return writeAnswer(answer, written);
}

/**
 * Writes the answer of an embedding model: one output `embedding` of shape [texts, dimensions].
 *
 * @returns JSON text.
 * @throws AppError `ANSWER_NOT_FINITE` for NaN and infinity.
 */
export function encodeEmbeddingInfer(answer: EmbeddingAnswer): string {
  const { embeddings } = answer;
  const shape = [embeddings.length, embeddings[0]?.length ?? 0];
  return writeAnswer(answer, [writeOutput(EMBEDDING_OUTPUT, 'FP32', shape, embeddings.map(writeFloat32).join(','))]);
}

function writeOutput(name: string, datatype: Datatype, shape: readonly number[], data: string): string {
  return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"data":[${data}]}`;
}

function writeAnswer({ modelName, modelVersion, id }: InferAnswer, outputs: readonly string[]): string {
  const echoed = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const names = `"model_name":${JSON.stringify(modelName)},"model_version":${JSON.stringify(modelVersion)}`;
  return `{${names},${echoed}"outputs":[${outputs.join(',')}]}`;
}

function invalidTensor(rule: string, param: string): AppError {
  return new AppError('INVALID_TENSOR', `${param} ${rule}`, { param });
}
