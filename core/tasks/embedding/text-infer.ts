import { type Encoded, jsonEncoded, readJsonBody } from '../../api/body.ts';
import {
  checkRequestedOutputs,
  decodeInferRequest,
  type InferRequest,
  validateInputs,
  writeInferResponse,
} from '../../protocols/open-inference.ts';
import { writeFloat32 } from '../../tensors/float-text.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { checkItemCount } from '../contract/item-count.ts';
import type { Codec } from '../contract/task.ts';
import { EMBEDDING_OUTPUT, type EmbeddingContext, limitsOf, TEXT_INPUT } from './embedding-model.ts';
import {
  type EmbeddingLimits,
  type EmbeddingRequest,
  readDimensions,
  readTruncation,
  textItem,
} from './embedding-request.ts';
import { requestedDimensions } from './pooling.ts';

/** An infer request to an embedding model. */
export interface TextInferRequest extends EmbeddingRequest {
  /** The request's id, to be echoed. */
  readonly id: string | undefined;
}

/** The codec of `POST /v2/models/{id}[/versions/{version}]/infer` for embedding models. */
export const TEXT_INFER: Codec<TextInferRequest, readonly number[], Float32Array, EmbeddingContext> = {
  decode: (body, context) => decodeTextInfer(decodeInferRequest(readJsonBody(body)), limitsOf(context)),
  encode: (vectors, { request }, { model, version }): Encoded => {
    const embeddings = vectors.map((vector) => requestedDimensions(vector, request));
    const shape = [embeddings.length, embeddings[0]?.length ?? 0];
    const data = embeddings.map(writeFloat32).join(',');
    const outputs = [{ name: EMBEDDING_OUTPUT, datatype: 'FP32', shape, data } as const];
    return jsonEncoded(
      writeInferResponse({ modelName: model.id, modelVersion: version.name, id: request.id, outputs }),
    );
  },
};

/**
 * Reads an infer request to an embedding model: one input `text`, parameters `truncate` and `dimensions`.
 *
 * @throws AppError `INVALID_TENSOR`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeTextInfer(request: InferRequest, limits: EmbeddingLimits): TextInferRequest {
  checkRequestedOutputs(request.outputs, [{ name: EMBEDDING_OUTPUT, datatype: 'FP32' }]);
  const text = request.inputs.get(TEXT_INPUT.name);
  if (text?.shape.length === 1) checkItemCount(elementCount(text.shape), limits.maxItems, 'inputs[0].data');
  const { data } = validateInputs(request.inputs, [TEXT_INPUT])[TEXT_INPUT.name] as { data: readonly string[] };
  return {
    id: request.id,
    param: 'inputs',
    items: data.map((item, index) => textItem(item, `inputs[0].data[${index}]`)),
    dimensions: readDimensions(request.parameters['dimensions'], limits, 'parameters.dimensions'),
    truncation: readTruncation(request.parameters['truncate'], limits, 'parameters.truncate'),
  };
}
