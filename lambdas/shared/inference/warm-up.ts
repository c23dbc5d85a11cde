import { elementCount, type Tensor, type TensorDescription } from '../../../core/tensor.ts';
import { startMeasures } from '../request-measures.ts';
import { embedRows } from './embed-rows.ts';
import { type InferenceDeps, readsTexts } from './inference.ts';
import type { LoadedVersion } from './model-versions.ts';
import { runTensors } from './run-tensors.ts';
import { ELEMENTS } from './tensor-bytes.ts';

/**
 * Loads versions and runs each once, so that the first request finds memory allocated and code compiled.
 *
 * @param names - Versions that requests will go to.
 */
export async function warmUp(deps: InferenceDeps, names: readonly string[]): Promise<void> {
  for (const name of names) await runOnce(await deps.versions.open(name), deps);
}

async function runOnce(version: LoadedVersion, deps: InferenceDeps): Promise<void> {
  const call = { version, policy: { read: false, write: false }, measures: startMeasures(0) };
  if (readsTexts(deps)) {
    const { tokenizer, packed } = deps;
    await embedRows([tokenizer.truncate(tokenizer.encode('Warm up.'), packed.manifest.limits.maxTokens)], call, deps);
    return;
  }
  const inputs = version.packed.inputs.map((description) => [description.name, zeros(description)] as const);
  // A model may refuse zeros, or shapes of one; then its first request warms it up.
  await runTensors(Object.fromEntries(inputs), call, deps).catch(() => undefined);
}

function zeros({ datatype, shape }: TensorDescription): Tensor {
  const fixed = shape.map((length) => (length === -1 ? 1 : length));
  const count = elementCount(fixed);
  const data = datatype === 'BYTES' ? new Array<string>(count).fill('') : new ELEMENTS[datatype](count);
  return { datatype, shape: fixed, data };
}
