import { at } from '../../../core/at.ts';
import { AppError } from '../../../core/errors.ts';
import type { CacheState } from '../../../core/results/lookup-plan.ts';
import type { Call } from './inference.ts';
import { type RunItemsDeps, runItems } from './run-items.ts';

/**
 * Full runs of the model that go through the results cache together. Results are kept after each such slice, so that work
 * which runs out of time resumes from there.
 */
const RUNS_IN_SLICE = 64;

/**
 * Runs any number of items in slices: the cheapest first, so that the items of a run are of similar size.
 *
 * @param maxItems - Maximum number of items of a slice. Defaults to any number of items that cost little enough.
 * @param prefixes - As {@link runItems} takes them.
 * @returns One result for each item.
 * @throws AppError `TIMEOUT` that says how many items fit into the time, when the deadline passes between two slices.
 */
export async function runInSlices(
  items: readonly unknown[],
  call: Call,
  deps: RunItemsDeps,
  maxItems = Number.POSITIVE_INFINITY,
  prefixes?: readonly string[],
): Promise<readonly unknown[]> {
  const { task, packed } = deps;
  const costs = items.map((item) => task.cost(item));
  const order = items.map((_, index) => index).sort((a, b) => at(costs, a) - at(costs, b));
  const maxCost = RUNS_IN_SLICE * task.budget(packed.manifest).maxCost;
  const results: unknown[] = new Array(items.length);
  const states = new Set<CacheState>();
  for (let start = 0; start < order.length; ) {
    const end = endOfSlice(order, costs, { start, maxCost, maxItems });
    const slice = order.slice(start, end);
    const run = () =>
      runItems(
        slice.map((index) => items[index]),
        call,
        deps,
        prefixes && slice.map((index) => at(prefixes, index)),
      );
    const found = await runSlice(run, () => tooSlow(order, costs, start));
    for (const [place, index] of slice.entries()) results[index] = at(found, place);
    if (call.measures.cache !== undefined) states.add(call.measures.cache);
    start = end;
  }
  if (states.size > 1) call.measures.cache = 'PARTIAL';
  return results;
}

function endOfSlice(
  order: readonly number[],
  costs: readonly number[],
  { start, maxCost, maxItems }: { readonly start: number; readonly maxCost: number; readonly maxItems: number },
): number {
  let end = start;
  let cost = 0;
  while (end < order.length && end - start < maxItems) {
    cost += at(costs, at(order, end));
    if (end > start && cost > maxCost) break;
    end += 1;
  }
  return end;
}

async function runSlice(
  run: () => Promise<readonly unknown[]>,
  tooSlowError: () => AppError | undefined,
): Promise<readonly unknown[]> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'TIMEOUT') throw error;
    throw tooSlowError() ?? error;
  }
}

/** @param done - Number of items, the cheapest ones, whose results are known. */
function tooSlow(order: readonly number[], costs: readonly number[], done: number): AppError | undefined {
  if (done === 0) return undefined;
  const costOf = (indices: readonly number[]) => indices.reduce((sum, index) => sum + at(costs, index), 0);
  const fitting = Math.floor((order.length * costOf(order.slice(0, done))) / costOf(order));
  return new AppError(
    'TIMEOUT',
    `the model computed ${done} of ${order.length} inputs in the time of a request, the shortest first: send about ${Math.max(1, fitting)} inputs at a time; results that are in the results cache are not computed again`,
  );
}
