import { ELEMENTS, elementCount, type Tensor, type TensorDescription } from '../../../core/tensors/tensor.ts';
import { startMeasures } from '../telemetry/request-measures.ts';
import { embedRows } from './embed-rows.ts';
import { type InferenceDeps, readsTexts } from './inference.ts';
import type { LoadedVersion } from './model-versions.ts';
import { runTensors } from './run-tensors.ts';

/** Time that an endpoint has for the first run: the connection is made, and a function that starts can't wait longer. */
const ENDPOINT_BUDGET_MS = 1000;

/**
 * Loads versions and runs each once, so that the first request finds memory allocated and code compiled, or an endpoint
 * connected. An endpoint that cannot answer keeps no function from starting.
 *
 * @param names - Versions that requests will go to.
 */
export async function warmUp(deps: InferenceDeps, names: readonly string[]): Promise<void> {
  for (const name of names) await runOnce(await deps.versions.open(name), deps);
}

async function runOnce(version: LoadedVersion, deps: InferenceDeps): Promise<void> {
  const { compute, limits } = deps.packed.manifest;
  const isRemote = compute.target === 'sagemaker';
  const measures = isRemote ? startMeasures(0, deps.timer() + ENDPOINT_BUDGET_MS) : startMeasures(0);
  const call = { version, policy: { read: false, write: false }, measures };
  if (readsTexts(deps)) {
    const { tokenizer } = deps;
    const run = embedRows([tokenizer.truncate(tokenizer.encode('Warm up.'), limits.maxTokens)], call, deps);
    await (isRemote ? run.catch(() => undefined) : run);
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
