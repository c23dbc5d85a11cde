import { openInference } from '../../lambdas/shared/inference/open-inference.ts';
import { runItems } from '../../lambdas/shared/inference/run-items.ts';
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
    modelFolder: packed,
    memoryMiB: 1769,
    resultsTable: undefined,
    endpoint: undefined,
  });
  const call = {
    version: await deps.versions.open('1'),
    policy: { read: false, write: false },
    cachePrefix: '',
    deadlineMs: Number.POSITIVE_INFINITY,
    measures: startMeasures(0),
  };
  const { maxTokens = 0 } = deps.packed.manifest.limits;
  const { tokenizer } = deps.ports;
  const rows = texts.map((text) => tokenizer?.truncate(tokenizer.encode(text), maxTokens) ?? []);
  return (await runItems(rows, call, deps)) as Float32Array[];
}

/** Returns the cosine of the angle between two vectors of length one. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
