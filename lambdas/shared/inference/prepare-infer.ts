import {
  checkRequestedOutputs,
  decodeEmbeddingInfer,
  decodeInferRequest,
  encodeEmbeddingInfer,
  encodeInferResponse,
  validateInputs,
} from '../../../core/protocols/open-inference.ts';
import { type Call, embeddingLimits, type InferenceDeps, readsTexts } from './inference.ts';
import { type PreparedRequest, preparedTexts } from './prepared-request.ts';
import { tokenize } from './tokenize.ts';

/**
 * Prepares the body of `POST /v2/models/{id}[/versions/{version}]/infer`.
 *
 * @throws AppError what the protocol's decoder throws.
 */
export function prepareInfer(body: unknown, call: Call, deps: InferenceDeps): PreparedRequest {
  const request = decodeInferRequest(body);
  const answer = { modelName: deps.packed.manifest.id, modelVersion: call.version.name, id: request.id };
  if (readsTexts(deps)) {
    const texts = decodeEmbeddingInfer(request, embeddingLimits(call, deps));
    return preparedTexts(tokenize(texts, 'inputs', call, deps), (embeddings) =>
      encodeEmbeddingInfer({ ...answer, embeddings }),
    );
  }
  const { inputs, outputs } = call.version.packed;
  checkRequestedOutputs(request.outputs, outputs);
  return {
    kind: 'tensors',
    inputs: validateInputs(request.inputs, inputs),
    encode: (results) =>
      encodeInferResponse({ ...answer, outputs: new Map(Object.entries(results)), requested: request.outputs }),
  };
}
