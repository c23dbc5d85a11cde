import type { Gpu } from '../models/gpu-instance-types.ts';

/**
 * Dense FP16 arithmetic of each GPU's tensor cores in 10^12 operations a second, by NVIDIA's data sheets (T4 65, A10G 70,
 * L4 121 sparse halves to 60, L40S 362 sparse halves to 181, V100 112).
 */
const TERAFLOPS: Readonly<Record<Gpu['name'], number>> = { T4: 65, A10G: 70, L4: 60, L40S: 181, V100: 112 };

/** Share of the arithmetic that an encoder in merged batches reaches: an assumption. */
const EFFICIENCY = 0.3;

/** Least GPU time of a request, in milliseconds: its share of launching a batch's kernels. An assumption. */
const LEAST_MS = 0.2;

/**
 * Returns GPU time of a request, derived and not measured: two operations for each weight and token, at a share of what the GPU
 * could do.
 *
 * @param weights - Weights in matrix products.
 * @param tokens - Tokens of the request, over all texts.
 * @returns Milliseconds.
 */
export function derivedGpuMs(weights: number, tokens: number, gpu: Gpu): number {
  const operations = 2 * weights * tokens;
  return Math.max(LEAST_MS, (operations / (TERAFLOPS[gpu.name] * 1e12 * EFFICIENCY)) * 1000);
}
