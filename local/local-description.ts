import { localQueueUrls } from './template/physical-names.ts';
import type { LocalPlan } from './template/plan.ts';
import type { ApiPlan, UsagePlanPlan } from './template/plan-apis.ts';
import type { Output } from './template/resolve-stacks.ts';

/** An API key for a developer to use. */
export interface DescribedKey {
  readonly name: string;
  readonly plan: string;
  readonly value: string;
  /** Limits of the plan in words. */
  readonly limits: string;
}

/** The addresses, keys and models of a running app: the content of `.tensorgate/local.json`. */
export interface LocalDescription {
  /** Base URL of the API; the stage's name may follow it or not. */
  readonly url: string;
  /** Id of the process that runs it. */
  readonly pid: number;
  readonly stage: string;
  /** Every enabled key that belongs to a plan, the keys of the tightest plan first. */
  readonly apiKeys: readonly DescribedKey[];
  /** URL of each AWS service that runs here. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** URL of each queue that the app names in an output, by the name that the output's description has. */
  readonly queues: Readonly<Record<string, string>>;
  /** Name of each table and bucket that the app names in an output, by the description of the output. */
  readonly stores: Readonly<Record<string, string>>;
  /** Name of each function that the app names in an output, by the description of the output. */
  readonly functions: Readonly<Record<string, string>>;
  /** Ids of the models. */
  readonly models: readonly string[];
  /** Folder of the log files. */
  readonly logs: string;
}

/** Properties of a running app that its plan does not hold. */
export interface RunningFacts {
  readonly url: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
  /** Value of each API key by its id. */
  readonly keyValues: ReadonlyMap<string, string>;
  /** Ids of the models. */
  readonly models: readonly string[];
  /** Folder of the log files. */
  readonly logs: string;
}

/** Describes a running app. */
export function describeApp(plan: LocalPlan, api: ApiPlan, facts: RunningFacts): LocalDescription {
  const { url, endpointUrl, keyValues, models, logs } = facts;
  const services: readonly (readonly [name: string, isUsed: boolean])[] = [
    ['lambda', true],
    ['dynamodb', plan.tables.length > 0],
    ['sqs', plan.queues.length > 0],
    ['s3', plan.buckets.length > 0],
    ['sagemaker-runtime', plan.endpoints.length > 0],
    ['events', plan.eventBuses.some(({ rules }) => rules.length > 0)],
  ];
  const used = services.filter(([, isUsed]) => isUsed).map(([name]): [string, string] => [name, endpointUrl]);
  return {
    url,
    pid: process.pid,
    stage: api.stage,
    apiKeys: describeKeys(api, keyValues),
    endpoints: Object.fromEntries(used),
    queues: describeQueues(plan.outputs, endpointUrl),
    stores: describeNames(plan.outputs, [...plan.tables, ...plan.buckets]),
    functions: describeNames(plan.outputs, plan.functions),
    models,
    logs,
  };
}

/** Lists the enabled keys of the usage plans, those of the plan with the lowest rate first. */
function describeKeys(api: ApiPlan, keyValues: ReadonlyMap<string, string>): DescribedKey[] {
  return api.usagePlans
    .toSorted((a, b) => (a.throttle?.RateLimit ?? Infinity) - (b.throttle?.RateLimit ?? Infinity))
    .flatMap((plan) =>
      api.apiKeys.flatMap(({ id, name, enabled, planIds }) => {
        const value = keyValues.get(id);
        if (!enabled || !planIds.includes(plan.id) || value === undefined) return [];
        return [{ name, plan: plan.name, value, limits: limitsOf(plan) }];
      }),
    );
}

/**
 * Lists the queues that an app names in its outputs: outputs whose value is the URL of a queue. Outputs without a
 * description are left out, because they are exports of the AWS CDK.
 *
 * @returns URLs on this machine, by the description of the output.
 */
function describeQueues(outputs: readonly Output[], endpointUrl: string): Record<string, string> {
  const urls = outputs.flatMap(({ description, value }) => {
    const url = typeof value === 'string' ? localQueueUrls(value, endpointUrl) : '';
    return description !== undefined && url !== value ? [[description, url] as const] : [];
  });
  return Object.fromEntries(urls);
}

/** Lists the resources that an app names in its outputs, except the exports of the AWS CDK. */
function describeNames(
  outputs: readonly Output[],
  resources: readonly { readonly name: string }[],
): Record<string, string> {
  const names = new Set(resources.map(({ name }) => name));
  const named = outputs.flatMap(({ description, value }) =>
    description !== undefined && typeof value === 'string' && names.has(value) ? [[description, value] as const] : [],
  );
  return Object.fromEntries(named);
}

function limitsOf({ throttle, quota }: UsagePlanPlan): string {
  const rate = throttle?.RateLimit === undefined ? [] : [`${throttle.RateLimit} requests a second`];
  const burst = throttle?.BurstLimit === undefined ? [] : [`bursts of ${throttle.BurstLimit}`];
  const count = quota === undefined ? [] : [`${quota.limit.toLocaleString('en')} a ${quota.period.toLowerCase()}`];
  return [...rate, ...burst, ...count].join(', ') || 'no limits';
}
