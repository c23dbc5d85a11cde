import type { Clock } from '../../../core/clock.ts';
import type { FunctionSettings } from '../../../core/functions/settings.ts';
import type { MetricName, MetricUnit } from '../../../core/metrics/catalogue.ts';
import { type DimensionSets, setsAt } from '../../../core/metrics/dimension-sets.ts';

/** The output for the lines of a function, and the metrics of its deployment. */
export interface LogSettings extends Pick<FunctionSettings, 'stage' | 'metricsNamespace' | 'metrics'> {
  /** Writes one line. */
  readonly write: (line: string) => void;
}

/** Log settings with the time. */
export interface LogTarget extends LogSettings {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Values by the name of their metric; those that are undefined are left out. */
export type MetricValues = { readonly [name in MetricName]?: number | undefined };

/** Values of metrics that are recorded under the same sets of dimensions, by unit. */
export interface MetricGroup {
  readonly dimensions: DimensionSets;
  readonly counts?: MetricValues;
  readonly milliseconds?: MetricValues;
}

/** Content of a log line. */
export interface LogLine {
  readonly level: 'INFO' | 'WARN' | 'ERROR';
  /** Kind of the line, the same words for every line of a kind. */
  readonly message: string;
  /**
   * Other members, including the values of dimensions: ids, times, counts and messages of this product's errors. They
   * never contain text of a caller or a container. Undefined members are left out.
   */
  readonly members: Readonly<Record<string, unknown>>;
  /** Defaults to none. */
  readonly metrics?: readonly MetricGroup[];
}

/** Maximum characters of a line. CloudWatch Logs charges by size, and no caller may decide how much a line costs. */
const MAX_LINE_CHARACTERS = 16_000;

/** Maximum characters of the members of a line that would be too long. */
const MAX_MEMBERS_CHARACTERS = 12_000;

/** Joins the log settings of a function and its clock. */
export function logTarget({ stage, metricsNamespace, metrics, write }: LogSettings, clock: Clock): LogTarget {
  return { stage, metricsNamespace, metrics, write, now: () => clock.now() };
}

/**
 * Writes one line of JSON that is both a log record and, by its member `_aws`, a metrics document: CloudWatch Logs makes
 * the metrics out of it. Without metrics, the values are still members of the record.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function writeLogLine(target: LogTarget, { level, message, members, metrics = [] }: LogLine): void {
  const nowMs = target.now();
  const values: Record<string, number> = {};
  const directives: MetricDirectives[] = [];
  for (const { dimensions, counts, milliseconds } of metrics) {
    const definitions: MetricDirective[] = [];
    addValues(counts, 'Count', values, definitions);
    addValues(milliseconds, 'Milliseconds', values, definitions);
    // CloudWatch rejects a set of which the line lacks a member.
    const sets = setsAt(target.metrics, dimensions).filter((set) =>
      set.every((name) => name === 'stage' || members[name] !== undefined),
    );
    if (sets.length === 0 || definitions.length === 0) continue;
    directives.push({ Namespace: target.metricsNamespace, Dimensions: sets, Metrics: definitions });
  }
  const lineWith = (members: LogLine['members']) =>
    JSON.stringify({
      _aws: directives.length === 0 ? undefined : { Timestamp: nowMs, CloudWatchMetrics: directives },
      level,
      timestamp: new Date(nowMs).toISOString(),
      message,
      stage: target.stage,
      ...members,
      ...values,
    });
  const line = lineWith(members);
  target.write(line.length <= MAX_LINE_CHARACTERS ? line : lineWith(shortened(members)));
}

/** Leaves out the members that are too long. */
function shortened(members: LogLine['members']): LogLine['members'] {
  let left = MAX_MEMBERS_CHARACTERS;
  const kept = Object.entries(members).filter(([name, value]) => {
    const characters = JSON.stringify({ [name]: value }).length;
    if (characters > left) return false;
    left -= characters;
    return true;
  });
  return { ...Object.fromEntries(kept), isShortened: true };
}

/** Metrics of the same sets of dimensions in a metrics document. */
interface MetricDirectives {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly MetricDirective[];
}

/** How a metrics document defines a metric. */
interface MetricDirective {
  readonly Name: string;
  readonly Unit: MetricUnit;
}

/** Adds values to a line, and the definitions of their metrics to a directive. */
function addValues(
  from: MetricValues | undefined,
  unit: MetricUnit,
  values: Record<string, number>,
  definitions: MetricDirective[],
): void {
  for (const name in from) {
    const value = from[name as MetricName];
    if (value === undefined) continue;
    values[name] = value;
    definitions.push({ Name: name, Unit: unit });
  }
}

/** Rounds milliseconds to microseconds. */
export function roundMs(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
