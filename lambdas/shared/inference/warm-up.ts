import { startMeasures } from '../telemetry/request-measures.ts';
import { contextOf, type InferenceDeps } from './inference.ts';
import type { LoadedVersion } from './model-versions.ts';
import { runItems } from './run-items.ts';

/** Time that an endpoint has for the first run: the connection is made, and a function that starts cannot wait longer. */
const ENDPOINT_BUDGET_MS = 1000;

/**
 * Loads versions and runs each once, so that the first request finds memory allocated and code compiled, or an endpoint
 * connected. An endpoint that does not respond keeps no function from starting.
 *
 * @param names - Versions that requests will go to.
 */
export async function warmUp(deps: InferenceDeps, names: readonly string[]): Promise<void> {
  for (const name of names) await runOnce(await deps.versions.open(name), deps);
}

async function runOnce(version: LoadedVersion, deps: InferenceDeps): Promise<void> {
  const { packed, task, timer } = deps;
  const isRemote = packed.manifest.compute.target === 'sagemaker';
  const deadlineMs = isRemote ? timer() + ENDPOINT_BUDGET_MS : Number.POSITIVE_INFINITY;
  const call = {
    version,
    policy: { read: false, write: false },
    cachePrefix: '',
    deadlineMs,
    measures: startMeasures(0),
  };
  const run = runItems([task.warmUp.features(contextOf(version, deps))], call, deps);
  // A model that cannot compute the item is warmed up by its first request.
  await (isRemote || !task.warmUp.isTypical ? run.catch(() => undefined) : run);
}
