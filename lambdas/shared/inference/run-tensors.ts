import { tensorFingerprint } from '../../../core/results/fingerprint.ts';
import { checkFinite } from '../../../core/tensors/finite.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { sha256 } from '../sha256.ts';
import type { Call, InferenceDeps } from './inference.ts';
import { decodeTensors, encodeTensors } from './tensor-bytes.ts';
import { throughCache } from './through-cache.ts';

/** What {@link runTensors} works with. */
export type RunTensorsDeps = Pick<InferenceDeps, 'packed' | 'cache' | 'collapse' | 'clock' | 'timer'>;

/**
 * Runs a tensor model; all tensors of a request are one item of the results cache.
 *
 * @param inputs - One tensor for each input of the model, checked.
 * @returns One tensor for each output of the model.
 * @throws AppError `ANSWER_NOT_FINITE` when the model answers with NaN or infinity.
 */
export async function runTensors(
  inputs: Readonly<Record<string, Tensor>>,
  { version, policy, measures }: Call,
  { packed, cache, collapse, clock, timer }: RunTensorsDeps,
): Promise<Readonly<Record<string, Tensor>>> {
  measures.items += 1;
  const compute = async () => {
    const startedMs = timer();
    const outputs = await version.predictor.run(inputs, measures.deadlineMs - startedMs);
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
  const [outputs] = await throughCache([fingerprint], {
    cache,
    collapse,
    policy,
    codec,
    compute,
    clock,
    timer,
    measures,
  });
  return outputs ?? {};
}
