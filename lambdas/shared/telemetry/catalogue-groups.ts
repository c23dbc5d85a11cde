import type { FunctionName } from '../../../core/functions/functions.ts';
import { METRICS, type MetricName, type MetricOf } from '../../../core/metrics/catalogue.ts';
import type { DimensionSets } from '../../../core/metrics/dimension-sets.ts';
import type { MetricGroup } from './log-line.ts';

/**
 * Groups values of metrics by the catalogue. It loads the catalogue, so functions with time-critical cold starts do not use it.
 *
 * @param values - Values by name; only metrics that the catalogue says the function records.
 */
export function catalogueGroups<F extends FunctionName>(
  values: {
    readonly [N in MetricOf<F>]?: number;
  },
): MetricGroup[] {
  const byDimensions = Map.groupBy(
    Object.entries(values) as [MetricName, number][],
    ([name]): DimensionSets => METRICS[name].dimensions,
  );
  return [...byDimensions].map(([dimensions, entries]) => ({
    dimensions,
    counts: Object.fromEntries(entries.filter(([name]) => METRICS[name].unit === 'Count')),
    milliseconds: Object.fromEntries(entries.filter(([name]) => METRICS[name].unit === 'Milliseconds')),
  }));
}
