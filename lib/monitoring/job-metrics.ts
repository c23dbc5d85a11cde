import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { JobMetricName } from './catalogue-metric.ts';

/** Options of a metric of jobs. */
export interface JobMetricOptions extends MetricOptions {
  /**
   * Id of the model.
   *
   * @default - all models together, for metrics that have such a series
   */
  readonly model?: string;
}

/** A construct with the metrics that the functions around jobs record. */
export abstract class JobMetrics extends Construct {
  /**
   * Returns a metric by its name in docs/observability.md.
   *
   * @throws AppError `CONFIG_INVALID` when the deployment does not record it with or without a model.
   */
  abstract metric(name: JobMetricName, options?: JobMetricOptions): Metric;

  /** Messages of the invocation. */
  metricMessages(model: string, options?: MetricOptions): Metric {
    return this.metric('Messages', { model, ...options });
  }

  /** Messages that will be delivered again because of a transient failure. */
  metricMessagesRetried(model: string, options?: MetricOptions): Metric {
    return this.metric('MessagesRetried', { model, ...options });
  }

  /** Jobs that ended with a result. */
  metricJobsSucceeded(model: string, options?: MetricOptions): Metric {
    return this.metric('JobsSucceeded', { model, ...options });
  }

  /** Jobs that ended with an error. */
  metricJobsFailed(model: string, options?: MetricOptions): Metric {
    return this.metric('JobsFailed', { model, ...options });
  }

  /** Lines of batches that got a result. */
  metricLinesCompleted(model: string, options?: MetricOptions): Metric {
    return this.metric('LinesCompleted', { model, ...options });
  }

  /** Lines of batches that are in the error file. */
  metricLinesFailed(model: string, options?: MetricOptions): Metric {
    return this.metric('LinesFailed', { model, ...options });
  }

  /** Inputs of all jobs and lines. */
  metricJobItems(model: string, options?: MetricOptions): Metric {
    return this.metric('JobItems', { model, ...options });
  }

  /** Tokens of these inputs, special tokens included. */
  metricJobTokens(model: string, options?: MetricOptions): Metric {
    return this.metric('JobTokens', { model, ...options });
  }

  /** Results found in memory or in the DynamoDB table. */
  metricJobCacheHits(model: string, options?: MetricOptions): Metric {
    return this.metric('JobCacheHits', { model, ...options });
  }

  /** Results looked up for jobs and not found. */
  metricJobCacheMisses(model: string, options?: MetricOptions): Metric {
    return this.metric('JobCacheMisses', { model, ...options });
  }

  /** Look-ups and writes of the results cache that failed; the jobs ran all the same. */
  metricJobCacheFailures(model: string, options?: MetricOptions): Metric {
    return this.metric('JobCacheFailures', { model, ...options });
  }

  /** Inside the model, in one invocation of the worker. */
  metricJobModelTime(model: string, options?: MetricOptions): Metric {
    return this.metric('JobModelTime', { model, ...options });
  }

  /** One invocation of the worker. */
  metricDuration(model: string, options?: MetricOptions): Metric {
    return this.metric('Duration', { model, ...options });
  }

  /** An event or a request to `/v1/jobs` became a job. */
  metricJobsSubmitted(model: string, options?: MetricOptions): Metric {
    return this.metric('JobsSubmitted', { model, ...options });
  }

  /** An event or a request whose job exists. */
  metricJobsDuplicate(model: string, options?: MetricOptions): Metric {
    return this.metric('JobsDuplicate', { model, ...options });
  }

  /** Jobs that their owner canceled. */
  metricJobsCanceled(model: string, options?: MetricOptions): Metric {
    return this.metric('JobsCanceled', { model, ...options });
  }

  /** An event that was refused, or that could not be accepted at any attempt. */
  metricDeadLetters(options?: MetricOptions): Metric {
    return this.metric('DeadLetters', options);
  }

  /** A job or a chunk that no worker could complete. */
  metricJobsLost(options?: JobMetricOptions): Metric {
    return this.metric('JobsLost', options);
  }

  /** Deliveries that the receiver accepted. */
  metricWebhooksDelivered(options?: MetricOptions): Metric {
    return this.metric('WebhooksDelivered', options);
  }

  /** Failed attempts of which another one follows. */
  metricWebhookRetries(options?: MetricOptions): Metric {
    return this.metric('WebhookRetries', options);
  }

  /** Deliveries put off because they are not due, or because their receiver failed repeatedly. */
  metricWebhookWaits(options?: MetricOptions): Metric {
    return this.metric('WebhookWaits', options);
  }

  /** Deliveries given up after their last attempt. */
  metricWebhooksFailed(options?: MetricOptions): Metric {
    return this.metric('WebhooksFailed', options);
  }

  /** Deliveries dropped because their receiver is disabled. */
  metricWebhooksDiscarded(options?: MetricOptions): Metric {
    return this.metric('WebhooksDiscarded', options);
  }

  /** Copies of a message whose delivery another copy has continued. */
  metricWebhooksRepeated(options?: MetricOptions): Metric {
    return this.metric('WebhooksRepeated', options);
  }

  /** Messages that will be delivered again because of a failure on this side, or are invalid. */
  metricWebhookErrors(options?: MetricOptions): Metric {
    return this.metric('WebhookErrors', options);
  }
}
