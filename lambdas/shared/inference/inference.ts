import type { Clock } from '../../../core/clock.ts';
import type { PackedModel } from '../../../core/models/packed-model.ts';
import type { CachePolicy } from '../../../core/results/cache-policy.ts';
import type { Preprocessors } from '../../../core/tasks/contract/preprocessors.ts';
import type { Task, TaskContext, TaskModel, TaskVersion } from '../../../core/tasks/contract/task.ts';
import type { TrafficSource } from '../../../core/traffic/traffic-source.ts';
import type { Collapse } from '../results/collapse.ts';
import type { LeveledResultCache } from '../results/results-cache.ts';
import type { RequestMeasures } from '../telemetry/request-measures.ts';
import type { LoadedVersion, ModelVersions } from './model-versions.ts';

/** Dependencies of inference, for requests and jobs. */
export interface InferenceDeps {
  readonly packed: PackedModel;
  /** The task of the model. */
  readonly task: Task;
  /** The preprocessors that the task names. */
  readonly ports: Partial<Preprocessors>;
  readonly versions: ModelVersions;
  /** The traffic split between the versions. */
  readonly traffic: TrafficSource;
  /** Absent if the model keeps no results. */
  readonly cache: LeveledResultCache | undefined;
  /** Absent if computing is cheaper than finding out whether another environment does it. */
  readonly collapse?: Collapse;
  readonly clock: Clock;
  /** Milliseconds on a timer that never goes back. */
  readonly timer: () => number;
}

/** One use of the model. */
export interface Call {
  readonly version: TaskVersion & Pick<LoadedVersion, 'predictor'>;
  /** Policy of the results cache. */
  readonly policy: CachePolicy;
  /** Beginning of the keys in the results cache, which says with whom results are shared: see `cacheKeyPrefix`. */
  readonly cachePrefix: string;
  /** When the results must be there, on the timer. */
  readonly deadlineMs: number;
  /** Filled in during the request. */
  readonly measures: RequestMeasures;
}

/** Returns the task's context for a version. */
export function contextOf(
  version: TaskVersion,
  { packed, ports }: { readonly packed: { readonly manifest: TaskModel }; readonly ports: Partial<Preprocessors> },
) {
  return { model: packed.manifest, version, ports } satisfies TaskContext;
}
