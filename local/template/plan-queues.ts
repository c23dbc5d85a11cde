import * as v from 'valibot';
import { cfnBoolean, cfnNumber, ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

const numbers = {
  VisibilityTimeout: v.optional(cfnNumber),
  DelaySeconds: v.optional(cfnNumber),
  MaximumMessageSize: v.optional(cfnNumber),
  MessageRetentionPeriod: v.optional(cfnNumber),
  ReceiveMessageWaitTimeSeconds: v.optional(cfnNumber),
};

const queueSchema = v.object({
  ...numbers,
  FifoQueue: v.optional(cfnBoolean),
  ContentBasedDeduplication: v.optional(cfnBoolean),
  RedrivePolicy: v.optional(v.object({ deadLetterTargetArn: v.string(), maxReceiveCount: cfnNumber })),
});

/** One SQS queue. */
export interface QueuePlan {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  /** Attributes as `CreateQueue` takes them; what is absent has SQS's default. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Describes the queues of an app.
 *
 * @throws AppError `TEMPLATE_INVALID` when a queue is malformed.
 */
export function planQueues(resources: readonly Resource[]): QueuePlan[] {
  return ofType(resources, 'AWS::SQS::Queue').map((resource) => {
    const attributes = Object.entries(readProperties(resource, queueSchema))
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)] as const);
    return {
      name: resource.attributes['QueueName'] ?? '',
      arn: resource.attributes['Arn'] ?? '',
      logicalId: resource.logicalId,
      attributes: Object.fromEntries(attributes),
    };
  });
}
