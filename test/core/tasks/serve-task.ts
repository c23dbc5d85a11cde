import { JSON_MEDIA_TYPE } from '../../../core/api/body.ts';
import type { Task, TaskContext, Tensors } from '../../../core/tasks/contract/task.ts';
import { codecOf } from '../../../lambdas/shared/inference/codec-of.ts';
import type { Call } from '../../../lambdas/shared/inference/inference.ts';
import { prepareItems, type RunItemsDeps, runItems } from '../../../lambdas/shared/inference/run-items.ts';
import { MemoryResultCache } from '../../../lambdas/shared/results/memory-result-cache.ts';
import { ResultsCache } from '../../../lambdas/shared/results/results-cache.ts';
import { startMeasures } from '../../../lambdas/shared/telemetry/request-measures.ts';
import { testClock } from '../../contracts/result-cache.ts';

/** A task and a model of it. */
export interface TaskToServe {
  readonly task: Task;
  readonly context: TaskContext;
  readonly model: (inputs: Tensors) => Record<string, Tensors[string]>;
}

/** A request that may read and write the cache and has no deadline. */
export const PASS: Pick<Call, 'policy' | 'deadlineMs'> = {
  policy: { read: true, write: true },
  deadlineMs: Number.POSITIVE_INFINITY,
};

/** A task that is served in this process, as serve-model serves it. */
export type Served = ReturnType<typeof serveTask>;

/** Serves a task: decode, prepare, results cache and model, encode. */
export function serveTask({ task, context, model }: TaskToServe) {
  const clock = testClock();
  const memory = new MemoryResultCache({ maxBytes: 1_000_000, ttlSeconds: 60, clock });
  let runs = 0;
  const predictor = {
    inputs: context.version.packed.inputs,
    outputs: context.version.packed.outputs,
    run: async (inputs: Tensors) => {
      runs += 1;
      return model(inputs);
    },
  };
  const deps: RunItemsDeps = {
    packed: { manifest: context.model },
    task,
    ports: context.ports,
    cache: new ResultsCache({ memory, table: undefined, clock }),
    clock,
    timer: () => 0,
  };
  const version = { ...context.version, predictor };
  return {
    runs: () => runs,
    ask: async (operation: string, value: unknown, how = PASS) => {
      const call = { version, cachePrefix: '', measures: startMeasures(0), ...how };
      const codec = await codecOf(operation, deps);
      const request = await codec.decode({ mediaType: JSON_MEDIA_TYPE, value }, context);
      const features = await prepareItems(request, call, deps);
      const results = await runItems(features, call, deps);
      const { body } = await codec.encode(results, { request, features }, context);
      return { body, cache: call.measures.cache, items: call.measures.items, runs };
    },
  };
}
