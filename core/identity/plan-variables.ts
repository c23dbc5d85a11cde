import { chunksOf } from '../chunks-of.ts';
import { BUDGET_NAMES, type Budgets, DEFAULT_BUDGETS } from './budgets.ts';
import type { Grants } from './grants.ts';
import { MAX_VARIABLE_LENGTH } from './key-hashes.ts';
import { configuredTenantOf } from './key-tenants.ts';

/**
 * Prefix of the stage variables that say which keys a usage plan has and what it grants.
 *
 * API Gateway adds the variables of its stage to every event, so neither a change of keys nor one of grants needs a new
 * version of a function, and the environments of functions do not grow with the plans.
 */
const VARIABLE_PREFIX = 'plan_';

/** Keys in one variable: an id has 10 characters, with room for longer ones. */
const KEYS_PER_VARIABLE = 20;

/** The plan of a caller, with its grants and budgets. */
export interface Plan {
  readonly grants: Grants;
  readonly budgets: Budgets;
}

/** A plan with its keys, as the deployment knows it. */
export interface PlanOfKeys extends Plan {
  readonly name: string;
  /** Ids of its own API keys; those of tenants are in the variables of the tenants. */
  readonly keyIds: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Renders the stage variables of plans: `<plan>:<name>=<value>&…` with the names `keys`, `queue`, `bus` and `input`, and those
 * of budgets that are not the default.
 *
 * @returns Variables by name, in characters that API Gateway accepts.
 */
export function renderPlanVariables(plans: readonly PlanOfKeys[]): Readonly<Record<string, string>> {
  const values = plans.flatMap(({ name, keyIds, ...plan }) => [
    ...packed(name, entriesOf(plan)),
    ...keysOf(name, keyIds),
  ]);
  return Object.fromEntries(values.map((value, index) => [`${VARIABLE_PREFIX}${index}`, value]));
}

/** Returns the name of the plan that has an API key; undefined if none has. */
export function planOfKey(keyId: string, variables: Variables): string | undefined {
  const ofTenant = configuredTenantOf(keyId, variables);
  if (ofTenant !== undefined) return ofTenant.plan || undefined;
  return readEntries(variables).find(({ name, value }) => name === 'keys' && value.split(',').includes(keyId))?.plan;
}

/** Reads the values of a plan. Without a plan, or without values, a caller has no grants and the default budgets. */
export function readPlan(plan: string | undefined, variables: Variables): Plan {
  const own = readEntries(variables).filter((entry) => entry.plan === plan);
  const valuesOf = (requested: string) => own.flatMap(({ name, value }) => (name === requested ? [value] : []));
  return {
    grants: {
      replyQueues: valuesOf('queue'),
      eventBus: valuesOf('bus').length > 0,
      inputBuckets: valuesOf('input').map((place) => {
        const slash = place.indexOf('/');
        return { bucket: place.slice(0, slash), prefix: place.slice(slash + 1) };
      }),
    },
    budgets: {
      ...DEFAULT_BUDGETS,
      ...Object.fromEntries(BUDGET_NAMES.flatMap((name) => valuesOf(name).map((value) => [name, Number(value)]))),
    },
  };
}

function entriesOf({ grants, budgets }: Plan): readonly string[] {
  const own = BUDGET_NAMES.filter((name) => budgets[name] !== DEFAULT_BUDGETS[name]);
  return [
    ...grants.replyQueues.map((name) => `queue=${name}`),
    ...(grants.eventBus ? ['bus=1'] : []),
    ...grants.inputBuckets.map(({ bucket, prefix }) => `input=${bucket}/${prefix}`),
    ...own.map((name) => `${name}=${budgets[name]}`),
  ];
}

/** As many entries in each value as a variable holds. */
function packed(plan: string, entries: readonly string[]): readonly string[] {
  const values: string[] = [];
  for (const entry of entries) {
    const last = values.at(-1);
    const longer = `${last}&${entry}`;
    if (last !== undefined && longer.length <= MAX_VARIABLE_LENGTH) values[values.length - 1] = longer;
    else values.push(`${plan}:${entry}`);
  }
  return values;
}

/** Ids of keys are tokens of the AWS CDK, whose length says nothing. */
function keysOf(plan: string, keyIds: readonly string[]): readonly string[] {
  return chunksOf(keyIds, KEYS_PER_VARIABLE).map((ids) => `${plan}:keys=${ids.join(',')}`);
}

function readEntries(variables: Variables) {
  return Object.entries(variables).flatMap(([variable, text = '']) => {
    if (!variable.startsWith(VARIABLE_PREFIX)) return [];
    const colon = text.indexOf(':');
    const plan = text.slice(0, colon);
    return text
      .slice(colon + 1)
      .split('&')
      .map((entry) => {
        const equals = entry.indexOf('=');
        return { plan, name: entry.slice(0, equals), value: entry.slice(equals + 1) };
      });
  });
}
