import { jsonEncoded, readJsonBody } from '../../api/body.ts';
import { AppError } from '../../errors.ts';
import { readArray, readObject, refuseUnknownMembers } from '../../json/json-object.ts';
import { elementCount, type Tensor, type TensorDescription } from '../../tensors/tensor.ts';
import { checkNesting, checkTensor, newElements, writeRow } from '../../tensors/tensor-json.ts';
import { checkItemCount } from '../contract/item-count.ts';
import { readPredictBody } from '../contract/predict-body.ts';
import type { Codec, TaskContext, Tensors } from '../contract/task.ts';
import { badOutput, checkTexts, type TensorRequest } from './tensor-request.ts';

/** A predict request to a tensor model. */
export interface InstancesRequest extends TensorRequest {
  /** Number of instances. */
  readonly instances: number;
}

/** The codec of `POST /v1/models/{id}:predict` for tensor models. */
export const TENSOR_INSTANCES: Codec<InstancesRequest, Tensors, Tensors> = {
  decode: (body, context) => {
    const { model, version } = context;
    const { inputs } = version.packed;
    const rows = readInstances(readJsonBody(body), inputs, model.limits.maxItems);
    checkInstances(context);
    const request = stackInstances(rows, inputs);
    checkTexts(request.inputs);
    return request;
  },
  encode: (results, { request }) => jsonEncoded(encodeTensorPredictions(results, request.instances)),
};

/** @throws AppError `INVALID_TENSOR` when the model has no instances. */
function checkInstances({ model, version: { packed } }: TaskContext): void {
  if (packed.rows === undefined) {
    throw new AppError(
      'INVALID_TENSOR',
      `the model ${model.id} does not take instances, because the first dimension of its tensors is not a batch; use the route /v2/models/${model.id}/infer`,
    );
  }
}

/** The values of one instance by the name of the input. */
type Instance = Readonly<Record<string, unknown>>;

/**
 * Reads the body of a predict request to a tensor model, in the row format of TensorFlow Serving's REST API: each
 * instance is an object with a value for each input, or the bare value if the model has one input.
 *
 * @param body - The parsed JSON, 64-bit integers as `bigint` where they need it.
 * @param descriptions - Inputs of the model.
 * @throws AppError `INVALID_BODY`, `INVALID_TENSOR`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function readInstances(
  body: unknown,
  descriptions: readonly TensorDescription[],
  maxItems: number,
): readonly Instance[] {
  const object = readPredictBody(body, ['instances']);
  const instances = readArray(object['instances'], 'instances');
  checkItemCount(instances.length, maxItems, 'instances');
  return instances.map((instance, index) => readRow(instance, descriptions, `instances[${index}]`));
}

/**
 * Stacks instances to the inputs of the model.
 *
 * @param descriptions - Inputs of the model; the first dimension of each counts instances.
 * @throws AppError `INVALID_TENSOR` when a value does not fit its input.
 */
export function stackInstances(
  instances: readonly Instance[],
  descriptions: readonly TensorDescription[],
): InstancesRequest {
  const inputs = Object.fromEntries(
    descriptions.map((description) => [
      description.name,
      stackRows(
        instances.map((instance) => instance[description.name]),
        description,
      ),
    ]),
  );
  return { inputs, instances: instances.length };
}

function readRow(instance: unknown, descriptions: readonly TensorDescription[], param: string): Instance {
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

/** Stacks the values of all instances; the nesting of the first one is the shape of all. */
function stackRows(values: readonly unknown[], description: TensorDescription): Tensor {
  const { name, datatype } = description;
  const together = `input ${name} of all instances together`;
  const rowShape = rowShapeOf(values[0], description.shape.slice(1));
  const shape = [values.length, ...rowShape];
  // Instances of a model for one item at a time run one by one.
  const rest = description.shape.slice(1);
  const taken = description.shape[0] === 1 ? [-1, ...rest] : description.shape;
  checkTensor({ datatype, shape }, { ...description, shape: taken }, together);
  for (const [index, value] of values.entries()) checkNesting(value, rowShape, `instances[${index}].${name}`);
  const size = elementCount(rowShape);
  const elements = newElements(datatype, values.length * size, together);
  for (const [index, value] of values.entries()) elements.fill(value, rowShape, index * size);
  return { datatype, shape, data: elements.data };
}

/** The nesting of a value. An array without elements does not show its inner dimensions, so that these are the declared ones. */
function rowShapeOf(value: unknown, declared: readonly number[]): readonly number[] {
  const nesting = nestingOf(value);
  if (nesting.at(-1) !== 0) return nesting;
  return [...nesting, ...declared.slice(nesting.length).map((length) => Math.max(length, 0))];
}

function nestingOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  return shape;
}

/**
 * Writes the predictions of a tensor model: for each instance the value of the only output, or an object of all outputs.
 *
 * @param results - Tensors whose first dimension counts instances, together as many as the request had.
 * @returns JSON text.
 * @throws AppError `BAD_GATEWAY` when the outputs do not hold one row for each instance, `ANSWER_NOT_FINITE` for NaN and
 * infinity.
 */
export function encodeTensorPredictions(results: readonly Tensors[], instances: number): string {
  const predictions = results.flatMap((outputs) => {
    const entries = Object.entries(outputs);
    const rows = results.length === instances ? 1 : instances;
    for (const [name, { shape }] of entries) {
      if (shape[0] !== rows) throw badOutput(name, shape, `which does not hold one row for each of ${rows} instances`);
    }
    return Array.from({ length: rows }, (_, row) => writePrediction(entries, row));
  });
  return `{"predictions":[${predictions.join(',')}]}`;
}

function writePrediction(entries: readonly (readonly [string, Tensor])[], row: number): string {
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) return writeRow(only[1], row);
  return `{${entries.map(([name, tensor]) => `${JSON.stringify(name)}:${writeRow(tensor, row)}`).join(',')}}`;
}
