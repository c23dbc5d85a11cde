import { embedRows } from '../../lambdas/shared/inference/embed-rows.ts';
import { openInference } from '../../lambdas/shared/inference/open-inference.ts';
import { startMeasures } from '../../lambdas/shared/telemetry/request-measures.ts';
import { packModel } from '../../onnx/pack/pack-model.ts';

/**
 * Embeds texts as the function does that runs the model itself.
 *
 * @param model - Folder of the model; its manifest must say `target: lambda`.
 * @param packed - Where to pack it.
 */
export async function embedByFunction(
  model: string,
  packed: string,
  texts: readonly string[],
): Promise<readonly Float32Array[]> {
  await packModel(model, packed);
  const { deps } = await openInference({
    ...{ modelFolder: packed, memoryMiB: 1769 },
    ...{ resultsTable: undefined, endpoint: undefined },
  });
  const call = {
    version: await deps.versions.open('1'),
    policy: { read: false, write: false },
    measures: startMeasures(0),
  };
  const { limits } = deps.packed.manifest;
  const rows = texts.map((text) => deps.tokenizer?.truncate(deps.tokenizer.encode(text), limits.maxTokens) ?? []);
  return embedRows(rows, call, deps);
}

/** How alike two vectors of length one are. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
