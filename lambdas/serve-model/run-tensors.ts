import type { CachePolicy } from '../../core/cache-policy.ts';
import { tensorFingerprint } from '../../core/fingerprint.ts';
import { checkFinite } from '../../core/finite.ts';
import type { PackedModel } from '../../core/packed-model.ts';
import type { Clock } from '../../core/ports.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { RequestMeasures } from '../shared/request-measures.ts';
import { sha256 } from '../shared/sha256.ts';
import type { TieredResultCache } from '../shared/tiered-result-cache.ts';
import type { LoadedVersion } from './model-versions.ts';
import { decodeTensors, encodeTensors } from './tensor-bytes.ts';
import { throughCache } from './through-cache.ts';

/** What {@link runTensors} works with. */
export interface RunTensorsDeps {
  readonly packed: PackedModel;
  /** Absent where the model keeps no results. */
  readonly cache: TieredResultCache | undefined;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** How one request is to be answered. */
export interface RunTensorsContext {
  readonly version: LoadedVersion;
  readonly policy: CachePolicy;
  readonly measures: RequestMeasures;
}

/**
 * Runs a tensor model; all tensors of a request are one item of the results cache.
 *
 * @param inputs - One tensor for each input of the model, checked.
 * @returns One tensor for each output of the model.
 * @throws AppError `ANSWER_NOT_FINITE` when the model answers with NaN or infinity.
 */
export async function runTensors(
  inputs: Readonly<Record<string, Tensor>>,
  { version, policy, measures }: RunTensorsContext,
  { packed, cache, clock, timer }: RunTensorsDeps,
): Promise<Readonly<Record<string, Tensor>>> {
  measures.items = 1;
  const compute = async () => {
    const startedMs = timer();
    const outputs = await version.predictor.run(inputs);
    measures.modelMs += timer() - startedMs;
    for (const { data } of Object.values(outputs)) {
      if (data instanceof Float32Array || data instanceof Float64Array) checkFinite(data);
    }
    return [outputs];
  };
  if (cache === undefined || !(policy.read || policy.write)) {
    measures.cache = 'BYPASS';
    return (await compute())[0] ?? {};
  }
  const fingerprint = tensorFingerprint(sha256, {
    modelId: packed.manifest.id,
    weightsSha256: version.packed.sha256,
    inputs,
  });
  const codec = { encode: encodeTensors, decode: decodeTensors };
  const [outputs] = await throughCache([fingerprint], { cache, policy, codec, compute, clock, timer, measures });
  return outputs ?? {};
}
