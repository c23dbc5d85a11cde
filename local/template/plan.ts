import { type ApiPlan, planApis } from './plan-apis.ts';
import { type BucketPlan, planBuckets } from './plan-buckets.ts';
import { type CustomResourcePlan, planCustomResources } from './plan-custom-resources.ts';
import { type EndpointPlan, planEndpoints } from './plan-endpoints.ts';
import { type EventBusPlan, planEventBuses, type ScheduledRulePlan } from './plan-event-buses.ts';
import { type EventSourcePlan, planEventSources } from './plan-event-sources.ts';
import {
  type FunctionPlan,
  type InvokePermission,
  type NotRun,
  planFunctions,
  planPermissions,
} from './plan-functions.ts';
import { type ParameterPlan, planParameters } from './plan-parameters.ts';
import { planQueues, type QueuePlan } from './plan-queues.ts';
import { planRoles, type RolePlan } from './plan-roles.ts';
import { planTables, type TablePlan } from './plan-tables.ts';
import { planTopics, type TopicPlan } from './plan-topics.ts';
import type { StackDocument } from './read-assembly.ts';
import { type Output, resolveStacks } from './resolve-stacks.ts';
import { resourceKind } from './resource-kinds.ts';

/** Everything that local mode will run of an app, and everything that it will not. */
export interface LocalPlan {
  readonly functions: readonly FunctionPlan[];
  readonly permissions: readonly InvokePermission[];
  readonly apis: readonly ApiPlan[];
  readonly tables: readonly TablePlan[];
  readonly queues: readonly QueuePlan[];
  readonly parameters: readonly ParameterPlan[];
  readonly buckets: readonly BucketPlan[];
  readonly eventBuses: readonly EventBusPlan[];
  /** Rules that send an event at a fixed rate. */
  readonly schedules: readonly ScheduledRulePlan[];
  readonly endpoints: readonly EndpointPlan[];
  readonly topics: readonly TopicPlan[];
  /** Which queues feed which functions. */
  readonly eventSources: readonly EventSourcePlan[];
  readonly customResources: readonly CustomResourcePlan[];
  readonly roles: readonly RolePlan[];
  readonly outputs: readonly Output[];
  /** Resources that have no counterpart here, with the reason why that does no harm. */
  readonly ignored: readonly NotRun[];
  /** Resources that local mode cannot run: what depends on them will not work. */
  readonly notRun: readonly NotRun[];
}

/**
 * Plans what to run of a synthesized app.
 *
 * @throws AppError `TEMPLATE_INVALID` when a template cannot be resolved or asks for what local mode cannot do.
 */
export function planAssembly(stacks: readonly StackDocument[]): LocalPlan {
  const { resources, outputs } = resolveStacks(stacks);
  const functions = planFunctions(resources, stacks);
  const roles = planRoles(resources);
  const apis = planApis(resources);
  const eventSources = planEventSources(resources);
  const buckets = planBuckets(resources);
  const eventBuses = planEventBuses(resources);
  const endpoints = planEndpoints(resources, stacks);
  const topics = planTopics(resources);
  const ignored: NotRun[] = [];
  const notRun: NotRun[] = [functions, roles, apis, eventSources, buckets, eventBuses, endpoints, topics].flatMap(
    (plan) => plan.notRun,
  );
  for (const { logicalId, type } of resources) {
    const kind = resourceKind(type);
    if (kind.kind === 'ignored') ignored.push({ resource: logicalId, type, reason: kind.reason });
    if (kind.kind === 'unknown')
      notRun.push({ resource: logicalId, type, reason: 'local mode does not know this type' });
  }
  return {
    functions: functions.functions,
    permissions: planPermissions(resources),
    apis: apis.apis,
    tables: planTables(resources),
    queues: planQueues(resources),
    parameters: planParameters(resources),
    buckets: buckets.buckets,
    eventBuses: eventBuses.eventBuses,
    schedules: eventBuses.schedules,
    endpoints: endpoints.endpoints,
    topics: topics.topics,
    eventSources: eventSources.eventSources,
    customResources: planCustomResources(resources),
    roles: roles.roles,
    outputs,
    ignored,
    notRun,
  };
}
