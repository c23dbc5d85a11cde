import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { ModelMetricName } from './catalogue-metric.ts';

/** Options of a metric of one model. */
export interface ModelMetricOptions extends MetricOptions {
  /**
   * Version of the model. It needs `metrics: 'detailed'`.
   *
   * @default - all versions together
   */
  readonly version?: string;
}

/** A construct with the metrics that the function of a model records. */
export abstract class ModelMetrics extends Construct {
  /**
   * Returns a metric by its name in docs/observability.md.
   *
   * @throws AppError `CONFIG_INVALID` when the deployment does not record it, or not for single versions.
   */
  abstract metric(name: ModelMetricName, options?: ModelMetricOptions): Metric;

  /** From the event to the response, inside the function. */
  metricLatency(options?: ModelMetricOptions): Metric {
    return this.metric('Latency', options);
  }

  /** Inside the model, batching and pooling included; absent when nothing was computed. */
  metricModelTime(options?: ModelMetricOptions): Metric {
    return this.metric('ModelTime', options);
  }

  /** Inputs in the request. */
  metricBatchSize(options?: ModelMetricOptions): Metric {
    return this.metric('BatchSize', options);
  }

  /** Tokens of all inputs of the request, special tokens included. */
  metricTokens(options?: ModelMetricOptions): Metric {
    return this.metric('Tokens', options);
  }

  /** Results found in the function's memory. */
  metricCacheHitsMemory(options?: ModelMetricOptions): Metric {
    return this.metric('CacheHitsMemory', options);
  }

  /** Results found in the DynamoDB table. */
  metricCacheHitsTable(options?: ModelMetricOptions): Metric {
    return this.metric('CacheHitsTable', options);
  }

  /** Results looked up and not found. */
  metricCacheMisses(options?: ModelMetricOptions): Metric {
    return this.metric('CacheMisses', options);
  }

  /** Look-ups and writes of the results cache that failed; the requests succeeded all the same. */
  metricCacheFailures(options?: ModelMetricOptions): Metric {
    return this.metric('CacheFailures', options);
  }

  /** 1 on the first request of an environment. */
  metricColdStart(options?: ModelMetricOptions): Metric {
    return this.metric('ColdStart', options);
  }

  /** 1 on a request that failed without being wrong: status 5xx. */
  metricErrors(options?: ModelMetricOptions): Metric {
    return this.metric('Errors', options);
  }

  /** 1 on a request that its caller must correct: status 4xx. */
  metricClientErrors(options?: ModelMetricOptions): Metric {
    return this.metric('ClientErrors', options);
  }
}
