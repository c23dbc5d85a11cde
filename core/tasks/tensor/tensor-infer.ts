import { at } from '../../at.ts';
import { decodeInfer, encodeInfer, type FormedRequest, type InferForm } from '../../protocols/open-inference/infer.ts';
import {
  type InferOutput,
  type RequestedOutput,
  requestedOutputs,
  validateInputs,
} from '../../protocols/open-inference/model.ts';
import type { Codec, TaskContext, Tensors } from '../contract/task.ts';
import { badOutput, checkRows, type TensorRequest, tensorOf } from './tensor-request.ts';

/** An infer request to a tensor model. */
export interface TensorInferRequest extends TensorRequest, InferForm {
  /** The request's id, to be echoed. */
  readonly id: string | undefined;
  /** The requested outputs, in the order to write them. */
  readonly outputs: readonly RequestedOutput[];
}

/** The codec of `POST /v2/models/{id}[/versions/{version}]/infer` for tensor models. */
export const TENSOR_INFER: Codec<TensorInferRequest, Tensors, Tensors> = {
  decode: (body, context) => {
    const { model, version } = context;
    const target = { modelName: model.id, modelVersion: version.name, inputs: version.packed.inputs };
    const request = decodeInfer(body, target);
    return request instanceof Promise ? request.then((loaded) => check(loaded, context)) : check(request, context);
  },
  encode: (results, { request }, { model, version }) => {
    const outputs = request.outputs.map(({ name }) => writeOutput(name, results));
    const response = { modelName: model.id, modelVersion: version.name, id: request.id, outputs };
    return encodeInfer(response, request, request.outputs, version.packed.rows !== undefined);
  },
};

function check(request: FormedRequest, { model, version: { packed } }: TaskContext): TensorInferRequest {
  const outputs = requestedOutputs(request.outputs, packed.outputs);
  const inputs = validateInputs(request.inputs, packed.inputs);
  if (packed.rows !== undefined) checkRows(inputs, model.limits.maxItems);
  return { id: request.id, inputs, outputs, form: request.form, isBinary: request.isBinary };
}

/** Writes the rows of an output one after the other, as one tensor. */
function writeOutput(name: string, results: readonly Tensors[]): InferOutput {
  const tensors = results.map((outputs) => tensorOf(outputs, name));
  const { datatype, shape } = at(tensors, 0);
  const parts = tensors.map(({ data }) => data);
  if (tensors.length === 1) return { name, datatype, shape, parts };
  const inner = shape.slice(1);
  const odd = tensors.find((tensor) => tensor.shape.slice(1).join() !== inner.join());
  if (odd !== undefined) throw badOutput(name, odd.shape, `which does not match [${shape.join(', ')}]`);
  return { name, datatype, shape: [tensors.length, ...inner], parts };
}
