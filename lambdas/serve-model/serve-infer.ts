import {
  checkRequestedOutputs,
  decodeEmbeddingInfer,
  decodeInferRequest,
  encodeEmbeddingInfer,
  encodeInferResponse,
  validateInputs,
} from '../../core/protocols/open-inference.ts';
import { embeddingLimits, openCall, readsTexts, type ServeDeps, type ServeEvent } from './call.ts';
import { embed } from './embed.ts';
import { runTensors } from './run-tensors.ts';

/**
 * Answers `POST /v2/models/{id}[/versions/{version}]/infer`.
 *
 * @returns JSON text.
 */
export async function serveInfer(event: ServeEvent, deps: ServeDeps): Promise<string> {
  const call = await openCall(event, deps);
  const request = decodeInferRequest(event.json);
  const answer = { modelName: deps.packed.manifest.id, modelVersion: call.version.name, id: request.id };
  if (readsTexts(deps)) {
    const embeddingRequest = decodeEmbeddingInfer(request, embeddingLimits(call, deps));
    const { vectors } = await embed(embeddingRequest, { ...call, param: 'inputs' }, deps);
    return encodeEmbeddingInfer({ ...answer, embeddings: vectors });
  }
  const { inputs, outputs } = call.version.packed;
  checkRequestedOutputs(request.outputs, outputs);
  const results = await runTensors(validateInputs(request.inputs, inputs), call, deps);
  return encodeInferResponse({ ...answer, outputs: new Map(Object.entries(results)), requested: request.outputs });
}
