import {
  decodeTensorInstances,
  decodeTextInstances,
  encodeTensorPredictions,
  encodeVectorPredictions,
} from '../../../core/protocols/instances.ts';
import { type Call, embeddingLimits, type InferenceDeps, readsTexts } from './inference.ts';
import { type PreparedRequest, preparedTexts } from './prepared-request.ts';
import { tokenize } from './tokenize.ts';

/**
 * Prepares the body of `POST /v1/models/{id}:predict`.
 *
 * @throws AppError what the protocol's decoder throws.
 */
export function preparePredict(body: unknown, call: Call, deps: InferenceDeps): PreparedRequest {
  if (readsTexts(deps)) {
    const request = decodeTextInstances(body, embeddingLimits(call, deps));
    return preparedTexts(tokenize(request, 'instances', call, deps), encodeVectorPredictions);
  }
  return {
    kind: 'tensors',
    inputs: decodeTensorInstances(body, call.version.packed.inputs),
    encode: encodeTensorPredictions,
  };
}
