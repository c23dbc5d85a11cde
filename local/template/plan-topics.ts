import * as v from 'valibot';
import type { NotRun } from './plan-functions.ts';
import { cfnBoolean, ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** One SNS topic with the queues that receive its messages. */
export interface TopicPlan {
  readonly arn: string;
  readonly logicalId: string;
  /** ARNs of queues that get each message as it was published. */
  readonly queues: readonly string[];
}

const subscriptionSchema = v.object({
  TopicArn: v.string(),
  Protocol: v.string(),
  Endpoint: v.optional(v.string(), ''),
  RawMessageDelivery: v.optional(cfnBoolean, false),
  FilterPolicy: v.optional(v.unknown()),
});

/**
 * Describes the topics of an app.
 *
 * @returns The topics, and subscriptions that do not run here.
 * @throws AppError `TEMPLATE_INVALID` when a subscription is malformed.
 */
export function planTopics(resources: readonly Resource[]): {
  readonly topics: TopicPlan[];
  readonly notRun: NotRun[];
} {
  const subscriptions = ofType(resources, 'AWS::SNS::Subscription').map((resource) => ({
    resource,
    properties: readProperties(resource, subscriptionSchema),
  }));
  const isRun = ({ Protocol: protocol, RawMessageDelivery: isRaw, FilterPolicy: filter }: Subscription): boolean =>
    protocol === 'sqs' && isRaw && filter === undefined;
  const run = subscriptions.filter(({ properties }) => isRun(properties));
  return {
    topics: ofType(resources, 'AWS::SNS::Topic').map(({ ref, logicalId }) => ({
      arn: ref,
      logicalId,
      queues: run.flatMap(({ properties: { TopicArn: topic, Endpoint: queue } }) => (topic === ref ? [queue] : [])),
    })),
    notRun: subscriptions
      .filter(({ properties }) => !isRun(properties))
      .map(({ resource: { logicalId, type } }) => ({
        resource: logicalId,
        type,
        reason: 'only queues that take raw messages without a filter can subscribe to topics here',
      })),
  };
}

type Subscription = v.InferOutput<typeof subscriptionSchema>;
