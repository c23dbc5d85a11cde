import { at } from '../../../core/at.ts';
import { AppError } from '../../../core/errors.ts';
import { planRuns } from '../../../core/tasks/contract/micro-batches.ts';
import type { TaskContext, TaskModel } from '../../../core/tasks/contract/task.ts';
import { sha256 } from '../sha256.ts';
import { type Call, contextOf, type InferenceDeps } from './inference.ts';
import { throughCache } from './through-cache.ts';

/** Dependencies of {@link runItems}. */
export interface RunItemsDeps extends Pick<InferenceDeps, 'task' | 'ports' | 'cache' | 'collapse' | 'clock' | 'timer'> {
  readonly packed: { readonly manifest: TaskModel };
}

/**
 * Turns the items of a request into features, and notes how many there are.
 *
 * @param request - The request that the task's codec decoded.
 * @returns The features of each item.
 * @throws AppError with the code of the problem of an item.
 */
export async function prepareItems(request: unknown, call: Call, deps: RunItemsDeps): Promise<readonly unknown[]> {
  const { task, timer } = deps;
  const { measures, version } = call;
  const startedMs = timer();
  const features = await task.prepare(request, contextOf(version, deps));
  measures.tokenizeMs += timer() - startedMs;
  measures.items += features.length;
  for (const item of features) measures.tokens += task.tokens(item);
  return features;
}

/**
 * Computes the results of items: from the results cache, then by the model for those that it lacks.
 *
 * @param items - Features of the items, of one request or of many.
 * @param prefixes - Beginning of each item's key in the results cache, if the items belong to several calls.
 * @returns One result for each item.
 * @throws AppError `TIMEOUT` when the deadline passes, and what the task throws for outputs that are not what its models
 * give.
 */
export function runItems(
  items: readonly unknown[],
  call: Call,
  deps: RunItemsDeps,
  prefixes?: readonly string[],
): Promise<readonly unknown[]> {
  const { task, cache, collapse, clock, timer } = deps;
  const { policy, cachePrefix, measures, deadlineMs } = call;
  if (cache === undefined || !(policy.read || policy.write)) {
    measures.cache = 'BYPASS';
    return computeItems(items, call, deps);
  }
  const context = contextOf(call.version, deps);
  const fingerprints = items.map(
    (item, index) => (prefixes?.[index] ?? cachePrefix) + task.fingerprint(sha256, item, context),
  );
  const compute = (missing: readonly number[]) =>
    computeItems(
      missing.map((index) => at(items, index)),
      call,
      deps,
    );
  return throughCache(fingerprints, {
    cache,
    collapse,
    policy,
    codec: task.resultCodec,
    compute,
    clock,
    timer,
    deadlineMs,
    measures,
  });
}

/** Runs the model in micro-batches and returns the results in the order of the items. */
async function computeItems(items: readonly unknown[], call: Call, deps: RunItemsDeps): Promise<readonly unknown[]> {
  const { timer } = deps;
  const context = contextOf(call.version, deps);
  const startedMs = timer();
  // One item is the common request. Each line that it does not run spares cache misses after the model's last run.
  const results =
    items.length === 1 ? await runOnce(items, call, context, deps) : await runMany(items, call, context, deps);
  call.measures.modelMs += timer() - startedMs;
  return results;
}

/** Runs the model in micro-batches, several concurrently if the budget allows. */
async function runMany(
  items: readonly unknown[],
  call: Call,
  context: TaskContext,
  deps: RunItemsDeps,
): Promise<unknown[]> {
  const { concurrency, ...limits } = deps.task.budget(deps.packed.manifest);
  const results: unknown[] = new Array(items.length);
  const runs = planItems(items, context, limits, deps).values();
  const worker = async (): Promise<void> => {
    for (const run of runs) {
      const batch = run.map((index) => at(items, index));
      const outputs = await runOnce(batch, call, context, deps);
      for (const [place, index] of run.entries()) results[index] = at(outputs, place);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  return results;
}

/** Items that may share a run are cut into the runs that cost least; the others run alone. */
function planItems(
  items: readonly unknown[],
  context: TaskContext,
  limits: Parameters<typeof planRuns>[1],
  { task }: RunItemsDeps,
): (readonly number[])[] {
  const groups = new Map<string, number[]>();
  const runs: (readonly number[])[] = [];
  for (const [index, item] of items.entries()) {
    const key = task.runKey(item, context);
    const group = key === undefined ? undefined : groups.get(key);
    if (key === undefined) runs.push([index]);
    else if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  for (const group of groups.values()) {
    const costs = group.map((index) => task.cost(items[index]));
    for (const run of planRuns(costs, limits)) runs.push(run.map((place) => at(group, place)));
  }
  return runs;
}

async function runOnce(
  batch: readonly unknown[],
  { version, deadlineMs }: Call,
  context: TaskContext,
  { task, timer }: RunItemsDeps,
): Promise<readonly unknown[]> {
  const withinMs = deadlineMs - timer();
  if (withinMs < 0) throw new AppError('TIMEOUT', 'the model took longer than the function may run');
  const outputs = await version.predictor.run(task.layOut(batch, context), withinMs);
  return task.read(outputs, batch, context);
}
