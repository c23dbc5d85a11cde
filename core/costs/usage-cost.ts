import type { MetricsLevel } from '../functions/metrics-level.ts';
import type { SystemLogLevel } from '../functions/system-log-level.ts';
import { type Architecture, MONTH_SECONDS, PRICES } from './prices.ts';

/** Bytes of the log lines of one request or one job that succeeds. */
export const LOG_BYTES = {
  /** The line of a model's function, by how much is measured. */
  request: { off: 450, basic: 850, detailed: 880 },
  /** The line of API Gateway's access log. */
  access: 355,
  /** The line of `serve-jobs` about the request that submits a job, and its line about the job. */
  submission: { off: 272, basic: 272, detailed: 272 },
  job: { off: 168, basic: 337, detailed: 337 },
  /** The line of a worker. */
  worker: { off: 290, basic: 695, detailed: 695 },
  /**
   * Lines of AWS Lambda itself about an invocation, in JSON.
   *
   * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
   */
  platform: { start: 200, report: 240 },
} as const satisfies Record<string, number | Record<MetricsLevel, number> | Record<'start' | 'report', number>>;

/**
 * Bytes that CloudWatch Logs adds to the size of each line.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
 */
const LINE_OVERHEAD_BYTES = 26;

/** The settings of a deployment that determine how much its functions log. */
export interface Logged {
  readonly metrics: MetricsLevel;
  readonly systemLogLevel: SystemLogLevel;
}

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
export function logsUsdPerMillionRequests({ metrics, systemLogLevel }: Logged): number {
  return ingestionUsdPerMillion([LOG_BYTES.access, LOG_BYTES.request[metrics], ...platformLines(systemLogLevel)]);
}

/** Computes the cost of the log lines of a million jobs, each submitted by a request and run alone, in US dollars. */
export function logsUsdPerMillionJobs({ metrics, systemLogLevel }: Logged): number {
  const { access, submission, job, worker } = LOG_BYTES;
  const platform = platformLines(systemLogLevel);
  return ingestionUsdPerMillion([
    access,
    ...[submission, job, worker].map((line) => line[metrics]),
    ...platform, // of the function that accepts the job
    ...platform, // of the worker
  ]);
}

/** `authorize` writes no lines of its own, and the deployment turns off what AWS Lambda writes about it. */
function platformLines(level: SystemLogLevel): readonly number[] {
  return level === 'INFO' ? [LOG_BYTES.platform.start, LOG_BYTES.platform.report] : [];
}

function ingestionUsdPerMillion(lines: readonly number[]): number {
  const bytes = lines.reduce((sum, line) => sum + line + LINE_OVERHEAD_BYTES, 0);
  return ((bytes * 1e6) / 1e9) * PRICES.cloudWatchLogsGb;
}

/**
 * The default sampling rule of AWS X-Ray: the first request of each second, and a share of the others.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
 */
const SAMPLING = { perSecond: 1, share: 0.05 };

/** Computes the cost of traces in US dollars: of those of each second for a month, and of those of a million requests. */
export function tracesUsd(): { readonly perMonth: number; readonly perMillionRequests: number } {
  return {
    perMonth: (SAMPLING.perSecond * MONTH_SECONDS * PRICES.xRayMillionTraces) / 1e6,
    perMillionRequests: SAMPLING.share * PRICES.xRayMillionTraces,
  };
}

/** Billed time of one warm call of the authorizer in milliseconds, rounded up (docs/bench.md, "authorizer"). */
const AUTHORIZER_MS = 2;

/** Computes the cost of a million calls of the authorizer in US dollars. It writes no lines, so logs cost nothing. */
export function authorizerUsdPerMillionCalls(memoryMiB: number, architecture: Architecture): number {
  const gibSeconds = (memoryMiB / 1024) * (AUTHORIZER_MS / 1000) * 1e6;
  return PRICES.lambdaMillionRequests + gibSeconds * PRICES.lambdaGibSecond[architecture];
}

/** Time of a look-up in the results table, in milliseconds, in which the function is billed. */
export const LOOKUP_MS = 4;

/**
 * Returns the price of a read of the results table that finds an item of this size, in US dollars: eventually consistent, 4 KiB
 * a unit.
 */
export function tableReadUsd(itemBytes: number): number {
  return (Math.ceil(itemBytes / 4096) * 0.5 * PRICES.dynamoDbMillionReadUnits) / 1e6;
}

/** Returns the price of a write of an item of this size to the results table, in US dollars. */
export function tableWriteUsd(itemBytes: number): number {
  return (Math.ceil(itemBytes / 1024) * PRICES.dynamoDbMillionWriteUnits) / 1e6;
}

/** A request of one item to a model that runs in its function. No cache holds its result. */
export interface PricedRequest extends Logged {
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  /** Time that computing the result takes. */
  readonly computeMs: number;
  /** Whether the environment was initialized before the request came. */
  readonly isProvisioned: boolean;
  /** Size of the item that the results table gets; undefined if results are not stored there. */
  readonly itemBytes: number | undefined;
  /** The authorizer that the request calls; undefined if it calls none. */
  readonly authorizer: { readonly memoryMiB: number; readonly architecture: Architecture } | undefined;
}

/** A part of the price of requests. */
export interface RequestCost {
  /** Name of the service or function. */
  readonly what: string;
  /** US dollars for a million requests. */
  readonly usd: number;
}

/**
 * Computes the price of a million requests, part by part. Custom metrics are paid by the month, and data transfer by what
 * the responses weigh: neither is in it.
 */
export function requestCosts(request: PricedRequest): readonly RequestCost[] {
  const { memoryMiB, architecture, computeMs, isProvisioned, itemBytes, authorizer } = request;
  const gibSecond = isProvisioned ? PRICES.lambdaProvisionedDurationGibSecond : PRICES.lambdaGibSecond;
  const billedMs = computeMs + (itemBytes === undefined ? 0 : LOOKUP_MS);
  const gibSeconds = (memoryMiB / 1024) * (billedMs / 1000) * 1e6;
  return [
    { what: 'API Gateway', usd: PRICES.apiGatewayMillionRequests },
    ...(authorizer === undefined
      ? []
      : [{ what: 'authorizer', usd: authorizerUsdPerMillionCalls(authorizer.memoryMiB, authorizer.architecture) }]),
    { what: 'Lambda', usd: PRICES.lambdaMillionRequests + gibSeconds * gibSecond[architecture] },
    ...(itemBytes === undefined
      ? []
      : // A read that finds nothing is half a unit.
        [{ what: 'results table', usd: (tableReadUsd(1) + tableWriteUsd(itemBytes)) * 1e6 }]),
    { what: 'logs', usd: logsUsdPerMillionRequests(request) },
  ];
}
