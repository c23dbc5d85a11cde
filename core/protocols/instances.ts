import { AppError } from '../errors.ts';
import { describeValue } from '../json/describe-value.ts';
import { readArray, readObject, refuseUnknownMembers } from '../json/json-object.ts';
import {
  checkItemCount,
  type EmbeddingLimits,
  type EmbeddingRequest,
  readDimensions,
  readTruncate,
  type TextItem,
  textItem,
} from '../tasks/embedding/embedding-request.ts';
import { writeFloat32 } from '../tensors/float-text.ts';
import type { Tensor, TensorDescription } from '../tensors/tensor.ts';
import { checkTensor, flattenNested, readElements, writeRow } from '../tensors/tensor-json.ts';

/**
 * Reads the body of a predict request to an embedding model: texts, or objects with a member `text`.
 *
 * @param body - The parsed JSON.
 * @throws AppError `INVALID_BODY`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeTextInstances(body: unknown, limits: EmbeddingLimits): EmbeddingRequest {
  const object = readObject(body, 'body');
  refuseUnknownMembers(object, ['instances', 'parameters'], 'body');
  const instances = readArray(object['instances'], 'instances');
  const parameters = object['parameters'] === undefined ? {} : readObject(object['parameters'], 'parameters');
  refuseUnknownMembers(parameters, ['truncate', 'dimensions'], 'parameters');
  checkItemCount(instances.length, limits.maxItems, 'instances');
  return {
    items: instances.map((instance, index) => readTextInstance(instance, `instances[${index}]`)),
    dimensions: readDimensions(parameters['dimensions'], limits, 'parameters.dimensions'),
    truncate: readTruncate(parameters['truncate'], 'parameters.truncate'),
  };
}

function readTextInstance(instance: unknown, param: string): TextItem {
  if (typeof instance === 'string') return textItem(instance, param);
  if (typeof instance !== 'object' || instance === null || Array.isArray(instance)) {
    throw new AppError('INVALID_BODY', `${param} must be a string or {"text": …}, got ${describeValue(instance)}`, {
      param,
    });
  }
  const object = readObject(instance, param);
  refuseUnknownMembers(object, ['text'], param);
  const { text } = object;
  if (typeof text === 'string') return textItem(text, `${param}.text`);
  throw new AppError('INVALID_BODY', `${param}.text must be a string, got ${describeValue(text)}`, {
    param: `${param}.text`,
  });
}

/**
 * Writes the predictions of an embedding model: an array of numbers for each instance.
 *
 * @returns JSON text.
 * @throws AppError `ANSWER_NOT_FINITE` for NaN and infinity.
 */
export function encodeVectorPredictions(embeddings: readonly Float32Array[]): string {
  return `{"predictions":[${embeddings.map((vector) => `[${writeFloat32(vector)}]`).join(',')}]}`;
}

/**
 * Reads the body of a predict request to a tensor model, in the row format of TensorFlow Serving's REST API: each
 * instance is an object with a value for each input, or the bare value where the model has one input.
 *
 * @param body - The parsed JSON, 64-bit integers as `bigint` where they need it.
 * @param descriptions - Inputs of the model; the first dimension of each counts instances.
 * @throws AppError `INVALID_BODY`, `INVALID_TENSOR` or `INPUT_EMPTY`.
 */
export function decodeTensorInstances(
  body: unknown,
  descriptions: readonly TensorDescription[],
): Record<string, Tensor> {
  const object = readObject(body, 'body');
  refuseUnknownMembers(object, ['instances'], 'body');
  const instances = readArray(object['instances'], 'instances');
  if (instances.length === 0) {
    throw new AppError('INPUT_EMPTY', 'instances is empty, at least one item is needed', { param: 'instances' });
  }
  const rows = instances.map((instance, index) => readRow(instance, descriptions, `instances[${index}]`));
  return Object.fromEntries(
    descriptions.map((description) => [
      description.name,
      stackRows(
        rows.map((row) => row[description.name]),
        description,
      ),
    ]),
  );
}

function readRow(
  instance: unknown,
  descriptions: readonly TensorDescription[],
  param: string,
): Readonly<Record<string, unknown>> {
  const [only] = descriptions;
  const isObject = typeof instance === 'object' && instance !== null && !Array.isArray(instance);
  if (descriptions.length === 1 && only !== undefined && !isObject) return { [only.name]: instance };
  const row = readObject(instance, param);
  const names = descriptions.map(({ name }) => name);
  refuseUnknownMembers(row, names, param);
  const missing = names.find((name) => !Object.hasOwn(row, name));
  if (missing !== undefined) throw new AppError('INVALID_TENSOR', `${param} lacks the input ${missing}`, { param });
  return row;
}

/** Puts the values of all instances one below the other; the first one's nesting says the shape of all. */
function stackRows(values: readonly unknown[], description: TensorDescription): Tensor {
  const { name, datatype } = description;
  const rowShape = nestingOf(values[0]);
  const shape = [values.length, ...rowShape];
  checkTensor({ datatype, shape }, description, `input ${name} of all instances together`);
  const elements = values.flatMap((value, index) => flattenNested(value, rowShape, `instances[${index}].${name}`));
  return { datatype, shape, data: readElements(datatype, elements, `input ${name} of all instances together`) };
}

function nestingOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  return shape;
}

/**
 * Writes the predictions of a tensor model: for each instance the value of the only output, or an object of all outputs.
 *
 * @returns JSON text.
 * @throws AppError `INVALID_TENSOR` when the outputs do not hold one row for each instance or are FP16,
 * `ANSWER_NOT_FINITE` for NaN and infinity.
 */
export function encodeTensorPredictions(outputs: Readonly<Record<string, Tensor>>): string {
  const entries = Object.entries(outputs);
  const rows = entries[0]?.[1].shape[0] ?? 0;
  for (const [name, { shape }] of entries) {
    if (shape[0] === rows) continue;
    throw new AppError(
      'INVALID_TENSOR',
      `output ${name} of shape [${shape.join(', ')}] does not hold one row for each instance; use the route /v2/models/{id}/infer`,
    );
  }
  const predictions = Array.from({ length: rows }, (_, row) => writePrediction(entries, row));
  return `{"predictions":[${predictions.join(',')}]}`;
}

function writePrediction(entries: readonly (readonly [string, Tensor])[], row: number): string {
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) return writeRow(only[1], row);
  return `{${entries.map(([name, tensor]) => `${JSON.stringify(name)}:${writeRow(tensor, row)}`).join(',')}}`;
}
