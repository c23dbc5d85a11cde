import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { CacheFailure } from '../results/results-cache.ts';
import { describeError, errorCodeOf } from './describe-error.ts';
import type { RequestMeasures } from './request-measures.ts';

/** All that a {@link requestLine} tells. */
export interface RequestFacts {
  readonly event: Pick<APIGatewayProxyEvent, 'httpMethod' | 'resource' | 'requestContext'> & {
    readonly measures: RequestMeasures;
  };
  readonly awsRequestId: string;
  readonly status: number;
  /** What the request failed with; undefined when it did not. */
  readonly error: unknown;
  readonly measures: RequestMeasures;
  readonly model: string;
  readonly stage: string;
  readonly namespace: string;
  readonly nowMs: number;
  readonly latencyMs: number;
  /** Whether this is the first request of its environment. */
  readonly isCold: boolean;
  readonly failures: readonly CacheFailure[];
}

interface Metric {
  readonly name: string;
  readonly unit: 'Milliseconds' | 'Count';
  readonly value: number;
}

/**
 * Writes what a request did as one line of JSON that is both a log record and a metrics document
 * (CloudWatch embedded metric format specification, version 0): CloudWatch Logs makes the metrics out of it.
 *
 * It never holds input text: only counts, times, ids and messages of this product's own errors.
 */
export function requestLine(facts: RequestFacts): string {
  const { event, measures, error, failures } = facts;
  const metrics = metricsOf(facts);
  return JSON.stringify({
    _aws: { Timestamp: facts.nowMs, CloudWatchMetrics: directives(facts, metrics) },
    level: levelOf(facts),
    timestamp: new Date(facts.nowMs).toISOString(),
    message: 'request',
    requestId: facts.awsRequestId,
    gatewayRequestId: event.requestContext?.requestId,
    method: event.httpMethod,
    route: event.resource,
    status: facts.status,
    stage: facts.stage,
    model: facts.model,
    version: measures.version,
    cache: measures.cache,
    forwardedTo: measures.forwardedTo,
    tokenizeMs: round(measures.tokenizeMs),
    cacheMs: round(measures.cacheMs),
    code: error === undefined ? undefined : errorCodeOf(error),
    error: error === undefined ? undefined : describeError(error),
    cacheFailures: failures.length === 0 ? undefined : failures,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  });
}

/** Metrics that say nothing of this request are left out: a metric costs by being sent. */
function metricsOf({ measures, latencyMs, isCold, error, failures }: RequestFacts): Metric[] {
  const metrics: Metric[] = [{ name: 'Latency', unit: 'Milliseconds', value: round(latencyMs) }];
  const add = (name: string, value: number, unit: Metric['unit'] = 'Count') => metrics.push({ name, unit, value });
  if (measures.items > 0) add('BatchSize', measures.items);
  if (measures.tokens > 0) add('Tokens', measures.tokens);
  if (measures.modelMs > 0) add('ModelTime', round(measures.modelMs), 'Milliseconds');
  if (measures.cache !== undefined && measures.cache !== 'BYPASS') {
    add('CacheHitsMemory', measures.memoryHits);
    add('CacheHitsTable', measures.tableHits);
    add('CacheMisses', measures.misses);
  }
  if (isCold) add('ColdStart', 1);
  if (failures.length > 0) add('CacheFailures', failures.length);
  if (error !== undefined) add('Errors', 1);
  return metrics;
}

/** Errors are counted by code; all else by version. */
function directives({ namespace, measures, error }: RequestFacts, metrics: readonly Metric[]) {
  const dimensions = measures.version === undefined ? ['stage', 'model'] : ['stage', 'model', 'version'];
  const counted = metrics.filter(({ name }) => name !== 'Errors');
  const served = { Namespace: namespace, Dimensions: [dimensions], Metrics: counted.map(definition) };
  if (error === undefined) return [served];
  const failed = {
    Namespace: namespace,
    Dimensions: [['stage', 'model', 'code']],
    Metrics: [{ Name: 'Errors', Unit: 'Count' }],
  };
  return [served, failed];
}

function definition({ name, unit }: Metric) {
  return { Name: name, Unit: unit };
}

function levelOf({ status, failures }: RequestFacts): string {
  if (status >= 500) return 'ERROR';
  return failures.length > 0 ? 'WARN' : 'INFO';
}

/** Microseconds are enough. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
