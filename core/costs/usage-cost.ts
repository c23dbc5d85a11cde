import type { MetricsLevel } from '../functions/metrics-level.ts';
import { type Architecture, PRICES } from './prices.ts';

/**
 * Bytes that one request to a model writes to its log, without failures and with the results cache: the function's own
 * line by how much is measured, and the lines that AWS Lambda adds in JSON (`platform.start`, `platform.report`).
 */
export const LOG_BYTES_PER_REQUEST = {
  own: { off: 450, basic: 850, detailed: 880 },
  platform: 850,
} as const satisfies { readonly own: Record<MetricsLevel, number>; readonly platform: number };

/**
 * Computes the monthly cost of custom metrics that are sent in every hour.
 *
 * @param series - Metrics times sets of values of their dimensions; the price is that of an account's first 10,000.
 * @returns US dollars.
 */
export function metricsMonthlyUsd(series: number): number {
  return series * PRICES.cloudWatchMetricMonth;
}

/** Computes the cost of the log lines of a million requests to a model, in US dollars. */
export function logsUsdPerMillionRequests(level: MetricsLevel): number {
  const { own, platform } = LOG_BYTES_PER_REQUEST;
  return (((own[level] + platform) * 1e6) / 1e9) * PRICES.cloudWatchLogsGb;
}

/** Billed time of one warm call of the authorizer in milliseconds, rounded up (docs/bench.md, "authorizer"). */
const AUTHORIZER_MS = 2;

/** Computes the cost of a million calls of the authorizer in US dollars. It writes no lines, so logs cost nothing. */
export function authorizerUsdPerMillionCalls(memoryMiB: number, architecture: Architecture): number {
  const gibSeconds = (memoryMiB / 1024) * (AUTHORIZER_MS / 1000) * 1e6;
  return PRICES.lambdaMillionRequests + gibSeconds * PRICES.lambdaGibSecond[architecture];
}
