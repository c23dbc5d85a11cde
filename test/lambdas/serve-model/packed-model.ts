import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDeps } from '../../../lambdas/serve-model/deps.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';

/**
 * Packs a tensor model that keeps its results in memory, and opens it as its function does.
 *
 * @param root - Folder for the model folder and the packed model.
 * @param weights - ONNX file.
 */
export async function openPacked(
  root: string,
  id: string,
  weights: Uint8Array,
  variables: Readonly<Record<string, string>> = {},
) {
  const folder = join(root, id);
  mkdirSync(join(folder, '1'), { recursive: true });
  writeFileSync(join(folder, '1', 'model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  writeFileSync(
    join(folder, 'model.yaml'),
    `id: ${id}\ntask: tensor\nversions: { "1": { weights: 1/model.onnx, sha256: ${sha256} } }\ncache: { store: memory }\n`,
  );
  const modelFolder = join(root, `${id}-packed`);
  await packModel(folder, modelFolder);
  const environment = {
    siblings: [],
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    stage: 'test',
    resultsTable: 'unused',
  };
  return openDeps({ modelFolder, environment, variables, memoryMiB: 1769 });
}
