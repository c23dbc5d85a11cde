import type { FunctionName } from '../functions/functions.ts';
import type { MetricsLevel } from '../functions/metrics-level.ts';
import { METRICS, type MetricDefinition } from './catalogue.ts';
import { type Dimension, setsAt } from './dimension-sets.ts';

/** Properties of a deployment that determine its metrics. */
export interface Measured {
  readonly level: MetricsLevel;
  /** The number of versions of each model. */
  readonly versionsOfModels: readonly number[];
  /** Whether the deployment has jobs. */
  readonly hasJobs: boolean;
}

/** Functions that exist without jobs. */
const WITHOUT_JOBS: ReadonlySet<FunctionName> = new Set(['serve-model']);

/**
 * Counts the series that a deployment can record: CloudWatch charges for each metric under each set of values of its
 * dimensions. Series by error code are not counted, because only the codes that occur have one.
 */
export function countSeries({ level, versionsOfModels, hasJobs }: Measured): number {
  const definitions: readonly MetricDefinition[] = Object.values(METRICS);
  const recorded = definitions.filter(({ emittedBy }) => hasJobs || emittedBy.some((name) => WITHOUT_JOBS.has(name)));
  const versions = versionsOfModels.reduce((sum, count) => sum + count, 0);
  const seriesOf = (set: readonly Dimension[]): number => {
    if (set.includes('code')) return 0;
    if (set.includes('version')) return versions;
    return set.includes('model') ? versionsOfModels.length : 1;
  };
  return recorded.flatMap(({ dimensions }) => setsAt(level, dimensions)).reduce((sum, set) => sum + seriesOf(set), 0);
}
