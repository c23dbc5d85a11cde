import {
  decodeTensorInstances,
  decodeTextInstances,
  encodeTensorPredictions,
  encodeVectorPredictions,
} from '../../core/protocols/instances.ts';
import { embeddingLimits, openCall, readsTexts, type ServeDeps, type ServeEvent } from './call.ts';
import { embed } from './embed.ts';
import { runTensors } from './run-tensors.ts';

/**
 * Answers `POST /v1/models/{id}:predict`.
 *
 * @returns JSON text.
 */
export async function servePredict(event: ServeEvent, deps: ServeDeps): Promise<string> {
  const call = await openCall(event, deps);
  if (readsTexts(deps)) {
    const request = decodeTextInstances(event.json, embeddingLimits(call, deps));
    const { vectors } = await embed(request, { ...call, param: 'instances' }, deps);
    return encodeVectorPredictions(vectors);
  }
  const inputs = decodeTensorInstances(event.json, call.version.packed.inputs);
  return encodeTensorPredictions(await runTensors(inputs, call, deps));
}
