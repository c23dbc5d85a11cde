import * as v from 'valibot';
import { functionArn } from './physical-names.ts';
import type { NotRun } from './plan-functions.ts';
import { cfnBoolean, cfnNumber, ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

const mappingSchema = v.object({
  FunctionName: v.string(),
  EventSourceArn: v.optional(v.string(), ''),
  Enabled: v.optional(cfnBoolean, true),
  BatchSize: v.optional(cfnNumber, 10),
  MaximumBatchingWindowInSeconds: v.optional(cfnNumber, 0),
  FunctionResponseTypes: v.optional(v.array(v.string()), []),
  ScalingConfig: v.optional(v.object({ MaximumConcurrency: v.optional(cfnNumber) }), {}),
  FilterCriteria: v.optional(v.unknown()),
});

/** A function that gets the messages of a queue. */
export interface EventSourcePlan {
  readonly logicalId: string;
  /** ARN of the function, its qualifier included. */
  readonly functionArn: string;
  readonly queueArn: string;
  /** Maximum number of messages in one invocation. */
  readonly batchSize: number;
  /** How long messages are collected before an invocation, in milliseconds. */
  readonly windowMs: number;
  /** Whether the function says which messages of a batch failed. */
  readonly reportsItemFailures: boolean;
  /** Maximum number of concurrent invocations; absent if unlimited. */
  readonly maxConcurrency: number | undefined;
}

/**
 * Describes which queues feed which functions.
 *
 * @returns The mappings that can run here, and those that cannot with the reason.
 * @throws AppError `TEMPLATE_INVALID` when a mapping is malformed.
 */
export function planEventSources(resources: readonly Resource[]): {
  readonly eventSources: EventSourcePlan[];
  readonly notRun: NotRun[];
} {
  const eventSources: EventSourcePlan[] = [];
  const notRun: NotRun[] = [];
  for (const resource of ofType(resources, 'AWS::Lambda::EventSourceMapping')) {
    const mapping = readProperties(resource, mappingSchema);
    if (!mapping.Enabled) continue;
    const reason = whyNot(mapping);
    if (reason !== undefined) {
      notRun.push({ resource: resource.logicalId, type: resource.type, reason });
      continue;
    }
    eventSources.push({
      logicalId: resource.logicalId,
      functionArn: qualifiedArn(mapping.FunctionName),
      queueArn: mapping.EventSourceArn,
      batchSize: mapping.BatchSize,
      windowMs: mapping.MaximumBatchingWindowInSeconds * 1000,
      reportsItemFailures: mapping.FunctionResponseTypes.includes('ReportBatchItemFailures'),
      maxConcurrency: mapping.ScalingConfig.MaximumConcurrency,
    });
  }
  return { eventSources, notRun };
}

/** ARN of a function from its name or ARN, with the qualifier that either may have. */
function qualifiedArn(nameOrArn: string): string {
  if (nameOrArn.startsWith('arn:')) return nameOrArn;
  const [, qualifier] = nameOrArn.split(':');
  return qualifier === undefined ? functionArn(nameOrArn) : `${functionArn(nameOrArn)}:${qualifier}`;
}

function whyNot({ EventSourceArn: arn, FilterCriteria: filter }: v.InferOutput<typeof mappingSchema>) {
  if (!arn.startsWith('arn:aws:sqs:')) return 'only queues feed functions here';
  return filter === undefined ? undefined : 'it filters messages, which local mode does not';
}
