import type { MetricsLevel } from '../functions/metrics-level.ts';

/** A dimension of a metric. */
export type Dimension = 'stage' | 'model' | 'version' | 'code';

/**
 * The sets of dimensions under which a metric is recorded; each set is a series of its own.
 *
 * A set is left out of a line that does not know one of its dimensions.
 */
export interface DimensionSets {
  /** Sets that are always recorded. */
  readonly basic: readonly (readonly Dimension[])[];
  /** Sets that are also recorded if the deployment has `metrics: detailed`. */
  readonly detailed: readonly (readonly Dimension[])[];
}

// Each is a constant of its own, so that a bundle holds those that it uses.

/** For metrics that belong to no model. */
export const PER_STAGE = { basic: [['stage']], detailed: [] } as const satisfies DimensionSets;

/** For metrics of a model, over all versions. */
export const PER_MODEL = { basic: [['stage', 'model']], detailed: [] } as const satisfies DimensionSets;

/** For metrics of a version of a model. */
export const PER_VERSION = {
  basic: [['stage', 'model']],
  detailed: [['stage', 'model', 'version']],
} as const satisfies DimensionSets;

/** For failed requests to a model. */
export const PER_MODEL_ERROR = {
  basic: [['stage', 'model']],
  detailed: [
    ['stage', 'model', 'version'],
    ['stage', 'model', 'code'],
  ],
} as const satisfies DimensionSets;

/** For refused messages, whose model is not known. */
export const PER_ERROR = { basic: [['stage']], detailed: [['stage', 'code']] } as const satisfies DimensionSets;

/** For lost messages, whose model is known unless they cannot be read. */
export const PER_LOSS = {
  basic: [['stage'], ['stage', 'model']],
  detailed: [['stage', 'model', 'code']],
} as const satisfies DimensionSets;

/** Returns the sets of dimensions that a deployment records. */
export function setsAt(level: MetricsLevel, { basic, detailed }: DimensionSets): readonly (readonly Dimension[])[] {
  if (level === 'off') return [];
  return level === 'basic' ? basic : [...basic, ...detailed];
}
