import type { FunctionName } from '../functions/functions.ts';
import {
  type DimensionSets,
  PER_ERROR,
  PER_LOSS,
  PER_MODEL,
  PER_MODEL_ERROR,
  PER_STAGE,
  PER_VERSION,
} from './dimension-sets.ts';

/** Unit of a metric, as CloudWatch names it. */
export type MetricUnit = 'Count' | 'Milliseconds';

/** One metric of the product. */
export interface MetricDefinition {
  readonly unit: MetricUnit;
  readonly dimensions: DimensionSets;
  /** Functions that record it. */
  readonly emittedBy: readonly FunctionName[];
  /** Meaning of one value; `docs/observability.md` has the same text. */
  readonly meaning: string;
}

/**
 * Every metric of the product, once. Functions record no others, and each name has one meaning.
 *
 * Writers of metrics import this for its types only unless their cold start does not matter: the names and units that
 * they write are checked by the compiler.
 */
export const METRICS = {
  Latency: {
    unit: 'Milliseconds',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'from the event to the response, inside the function',
  },
  ModelTime: {
    unit: 'Milliseconds',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'inside the model, batching and pooling included; absent when nothing was computed',
  },
  BatchSize: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'inputs in the request',
  },
  Tokens: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'tokens of all inputs of the request, special tokens included',
  },
  CacheHitsMemory: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: "results found in the function's memory",
  },
  CacheHitsTable: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'results found in the DynamoDB table',
  },
  CacheMisses: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'results looked up and not found',
  },
  CacheFailures: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: 'look-ups and writes of the results cache that failed; the requests succeeded all the same',
  },
  ColdStart: {
    unit: 'Count',
    dimensions: PER_VERSION,
    emittedBy: ['serve-model'],
    meaning: '1 on the first request of an environment',
  },
  Errors: {
    unit: 'Count',
    dimensions: PER_MODEL_ERROR,
    emittedBy: ['serve-model'],
    meaning: '1 on a request that failed without being wrong: status 5xx',
  },
  ClientErrors: {
    unit: 'Count',
    dimensions: PER_MODEL_ERROR,
    emittedBy: ['serve-model'],
    meaning: '1 on a request that its caller must correct: status 4xx',
  },
  Messages: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'messages of the invocation',
  },
  MessagesRetried: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'messages that will be delivered again because of a transient failure',
  },
  JobsSucceeded: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'jobs that ended with a result',
  },
  JobsFailed: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'jobs that ended with an error',
  },
  LinesCompleted: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'lines of batches that got a result',
  },
  LinesFailed: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'lines of batches that are in the error file',
  },
  JobItems: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'inputs of all jobs and lines',
  },
  JobTokens: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'tokens of these inputs, special tokens included',
  },
  JobCacheHits: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'results found in memory or in the DynamoDB table',
  },
  JobCacheMisses: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'results looked up for jobs and not found',
  },
  JobCacheFailures: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'look-ups and writes of the results cache that failed; the jobs ran all the same',
  },
  JobModelTime: {
    unit: 'Milliseconds',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'inside the model, in one invocation of the worker',
  },
  Duration: {
    unit: 'Milliseconds',
    dimensions: PER_MODEL,
    emittedBy: ['run-jobs'],
    meaning: 'one invocation of the worker',
  },
  JobsSubmitted: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['accept-jobs', 'serve-jobs'],
    meaning: 'an event or a request to `/v1/jobs` became a job',
  },
  JobsDuplicate: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['accept-jobs', 'serve-jobs'],
    meaning: 'an event or a request whose job exists',
  },
  JobsCanceled: {
    unit: 'Count',
    dimensions: PER_MODEL,
    emittedBy: ['serve-jobs'],
    meaning: 'jobs that their owner canceled',
  },
  DeadLetters: {
    unit: 'Count',
    dimensions: PER_ERROR,
    emittedBy: ['accept-jobs'],
    meaning: 'an event that was refused, or that could not be accepted at any attempt',
  },
  JobsLost: {
    unit: 'Count',
    dimensions: PER_LOSS,
    emittedBy: ['fail-lost-jobs'],
    meaning: 'a job or a chunk that no worker could complete',
  },
  WebhooksDelivered: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'deliveries that the receiver accepted',
  },
  WebhookRetries: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'failed attempts that are followed by another one',
  },
  WebhookWaits: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'deliveries put off because they are not due, or because their receiver failed repeatedly',
  },
  WebhooksFailed: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'deliveries given up after their last attempt',
  },
  WebhooksDiscarded: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'deliveries dropped because their receiver is disabled',
  },
  WebhooksRepeated: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'copies of a message whose delivery another copy has continued',
  },
  WebhookErrors: {
    unit: 'Count',
    dimensions: PER_STAGE,
    emittedBy: ['deliver-webhooks'],
    meaning: 'messages that will be delivered again because of a failure on this side, or are invalid',
  },
} as const satisfies Record<string, MetricDefinition>;

/** Name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Names of the metrics that a function records. */
export type MetricOf<F extends FunctionName> = {
  [N in MetricName]: F extends (typeof METRICS)[N]['emittedBy'][number] ? N : never;
}[MetricName];

/** Unit of a metric. */
export type UnitOf<N extends MetricName> = (typeof METRICS)[N]['unit'];

/** Names of the metrics that a function records under these dimensions. */
export type MetricUnder<F extends FunctionName, D extends DimensionSets> = {
  [N in MetricOf<F>]: (typeof METRICS)[N]['dimensions'] extends D ? N : never;
}[MetricOf<F>];
