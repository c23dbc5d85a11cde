/** Namespace of the metrics that functions write. */
export const METRICS_NAMESPACE = 'Tensorgate';
