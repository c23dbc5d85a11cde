import { jsonEncoded, readJsonBody } from '../../api/body.ts';
import { at } from '../../at.ts';
import {
  checkRequestedOutputs,
  decodeInferRequest,
  validateInputs,
  type WrittenOutput,
  writeInferResponse,
} from '../../protocols/open-inference.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { writeElements } from '../../tensors/tensor-json.ts';
import { checkItemCount } from '../contract/item-count.ts';
import type { Codec, Tensors } from '../contract/task.ts';
import { badOutput, mostRows, type TensorRequest } from './tensor-request.ts';

/** An infer request to a tensor model. */
export interface TensorInferRequest extends TensorRequest {
  /** The request's id, to be echoed. */
  readonly id: string | undefined;
  /** Names of the requested outputs, in the order to write them. */
  readonly outputs: readonly string[];
}

/** The codec of `POST /v2/models/{id}[/versions/{version}]/infer` for tensor models. */
export const TENSOR_INFER: Codec<TensorInferRequest, Tensors, Tensors> = {
  decode: (body, { model, version: { packed } }) => {
    const request = decodeInferRequest(readJsonBody(body));
    checkRequestedOutputs(request.outputs, packed.outputs);
    const inputs = validateInputs(request.inputs, packed.inputs);
    if (packed.rows !== undefined) checkItemCount(mostRows(inputs), model.limits.maxItems, 'inputs');
    return { id: request.id, inputs, outputs: request.outputs ?? packed.outputs.map(({ name }) => name) };
  },
  encode: (results, { request }, { model, version }) => {
    const outputs = request.outputs.map((name) => writeOutput(name, results));
    return jsonEncoded(
      writeInferResponse({ modelName: model.id, modelVersion: version.name, id: request.id, outputs }),
    );
  },
};

/** Writes the rows of an output one after the other, as one tensor. */
function writeOutput(name: string, results: readonly Tensors[]): WrittenOutput {
  const tensors = results.map((outputs) => {
    const tensor = outputs[name];
    if (tensor === undefined) throw badOutput(name, [], 'which holds nothing');
    return tensor;
  });
  const { datatype, shape } = at(tensors, 0);
  const data = tensors.map((tensor) => writeElements(tensor, 0, elementCount(tensor.shape))).join(',');
  if (tensors.length === 1) return { name, datatype, shape, data };
  const inner = shape.slice(1);
  const odd = tensors.find((tensor) => tensor.shape.slice(1).join() !== inner.join());
  if (odd !== undefined) throw badOutput(name, odd.shape, `which does not match [${shape.join(', ')}]`);
  return { name, datatype, shape: [tensors.length, ...inner], data };
}
