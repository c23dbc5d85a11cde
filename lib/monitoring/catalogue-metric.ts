import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { AppError } from '../../core/errors.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import { METRICS, type MetricDefinition, type MetricName, type MetricOf } from '../../core/metrics/catalogue.ts';
import { type Dimension, setsAt } from '../../core/metrics/dimension-sets.ts';

/** Name of a metric that the function of a model records. */
export type ModelMetricName = MetricOf<'serve-model'>;

/** Name of a metric that functions around jobs record. */
export type JobMetricName = Exclude<MetricName, ModelMetricName>;

/** The metric settings of a deployment. */
export interface MeasuredStage {
  readonly stageName: string;
  readonly metrics: MetricsLevel;
  readonly metricsNamespace: string;
}

/**
 * Returns a metric of the catalogue: a sum of counts, an average of times, unless the options say otherwise.
 *
 * @param labels - Values of the dimensions other than the stage.
 * @throws AppError `CONFIG_INVALID` when the deployment does not record the metric under these dimensions.
 */
export function catalogueMetric(
  name: MetricName,
  { stageName, metrics, metricsNamespace }: MeasuredStage,
  labels: { readonly model?: string | undefined; readonly version?: string | undefined },
  options: MetricOptions = {},
): Metric {
  const { unit, dimensions }: MetricDefinition = METRICS[name];
  const known = Object.entries({ stage: stageName, ...labels }).filter(([, value]) => value !== undefined);
  const names = known.map(([dimension]) => dimension);
  const sets = setsAt(metrics, dimensions);
  if (!sets.some((set) => set.join() === names.join())) throw notRecorded(name, names, metrics, sets);
  return new Metric({
    namespace: metricsNamespace,
    metricName: name,
    dimensionsMap: Object.fromEntries(known),
    statistic: unit === 'Count' ? Stats.SUM : Stats.AVERAGE,
    ...options,
  });
}

function notRecorded(
  name: MetricName,
  names: readonly string[],
  level: MetricsLevel,
  sets: readonly (readonly Dimension[])[],
): AppError {
  const recorded = sets.map((set) => set.join(', ')).join('; ') || 'no dimensions';
  return new AppError(
    'CONFIG_INVALID',
    `${name} is recorded under ${recorded} with metrics: ${level}, not under ${names.join(', ')}`,
  );
}
