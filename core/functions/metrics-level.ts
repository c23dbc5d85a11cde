/** How much a deployment measures: nothing, per model, or also per version and error code. */
export const METRICS_LEVELS = ['off', 'basic', 'detailed'] as const;

/** How much a deployment measures. */
export type MetricsLevel = (typeof METRICS_LEVELS)[number];
