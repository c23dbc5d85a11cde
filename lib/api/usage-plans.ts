import { Names } from 'aws-cdk-lib';
import {
  ApiKey,
  type CfnUsagePlan,
  CfnUsagePlanKey,
  Period,
  type RestApi,
  UsagePlan,
} from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import type { TenantConfig, UsagePlanConfig } from '../../core/config/deploy-config.ts';
import { renderTenantVariable } from '../../core/identity/key-tenants.ts';
import { type PlanOfKeys, renderPlanVariables } from '../../core/identity/plan-variables.ts';

/** Settings of {@link UsagePlans}. */
export interface UsagePlansProps {
  /** The API whose deployed stage the plans open. */
  readonly restApi: RestApi;
  /** Limits by plan name. */
  readonly plans: Readonly<Record<string, UsagePlanConfig>>;
  /** Tenants by name; each names one of the plans. */
  readonly tenants: Readonly<Record<string, TenantConfig>>;
}

/** A key and the plan that it belongs to. */
export interface PlanKey {
  /** Name of the usage plan. */
  readonly plan: string;
  /**
   * Name of the tenant that owns what callers with this key create.
   *
   * @default - none is configured: the key is a tenant of its own, whose id is the id of the key
   */
  readonly tenant?: string;
  /** Name of the key inside its tenant or plan. */
  readonly name: string;
  /** The key. AWS generates its value, which is never in the template. */
  readonly key: ApiKey;
}

/** Usage plans of an API, their keys, and the keys of tenants. */
export class UsagePlans extends Construct {
  /** Every key of every plan and tenant. */
  readonly keys: readonly PlanKey[];
  /** Stage variables that map keys to tenants and plans, and say what plans grant, by name. */
  readonly variables: Readonly<Record<string, string>>;
  readonly #plans: ReadonlyMap<string, UsagePlan>;

  constructor(scope: Construct, id: string, props: UsagePlansProps) {
    super(scope, id);
    const plans = Object.entries(props.plans);
    this.#plans = new Map(plans.map(([name, plan]) => [name, this.#addPlan(props.restApi, name, plan)]));
    this.#createPlansInTurn();
    const ofPlans = plans.flatMap(([name, plan]) => this.#addPlanKeys(name, plan));
    const tenants = Object.entries(props.tenants).map(([name, tenant]) => this.#addTenant(name, tenant));
    this.keys = [...ofPlans, ...tenants.flatMap(({ keys }) => keys)];
    this.#addKeysInTurn();
    this.variables = {
      ...Object.fromEntries(tenants.map(({ variable }) => variable)),
      ...renderPlanVariables(plans.map(([name, plan]) => this.#planOfKeys(name, plan))),
    };
  }

  #planOfKeys(name: string, { replyQueues, eventBus, inputBuckets, budgets }: UsagePlanConfig): PlanOfKeys {
    const own = this.keys.filter(({ plan, tenant }) => plan === name && tenant === undefined);
    const keyIds = own.map(({ key }) => key.keyId);
    return { name, keyIds, grants: { replyQueues, eventBus, inputBuckets }, budgets };
  }

  #addPlan(restApi: RestApi, name: string, config: UsagePlanConfig): UsagePlan {
    return new UsagePlan(this, name, {
      name,
      throttle: { rateLimit: config.rateLimit, burstLimit: config.burstLimit },
      ...(config.quota === undefined
        ? {}
        : { quota: { limit: config.quota.limit, period: Period[config.quota.period] } }),
      apiStages: [{ api: restApi, stage: restApi.deploymentStage }],
    });
  }

  #addPlanKeys(name: string, { keys }: UsagePlanConfig): PlanKey[] {
    const plan = this.#planOf(name);
    return keys.map((keyName) => {
      return { plan: name, name: keyName, key: new ApiKey(plan, keyName, { apiKeyName: `${name}-${keyName}` }) };
    });
  }

  /** The keys of a tenant do not belong to the construct of its plan, so their values survive a change of plan. */
  #addTenant(name: string, { plan, keys, id = name }: TenantConfig) {
    const scope = new Construct(this, `Tenant-${name}`);
    const created = keys.map((keyName): PlanKey => {
      const key = new ApiKey(scope, keyName, { apiKeyName: `${plan}-${name}-${keyName}` });
      return { plan, tenant: name, name: keyName, key };
    });
    const keyIds = created.map(({ key }) => key.keyId);
    return { keys: created, variable: renderTenantVariable({ name, tenant: id, plan, keyIds }) };
  }

  /** API Gateway runs one `UpdateUsagePlan` in 20 seconds, so plans that change together wait for one another. */
  #createPlansInTurn(): void {
    let earlier: CfnUsagePlan | undefined;
    for (const { node } of this.#plans.values()) {
      const plan = node.defaultChild as CfnUsagePlan;
      if (earlier !== undefined) plan.addResourceDependency(earlier);
      earlier = plan;
    }
  }

  /**
   * Adds each key to its plan after the key before it, across plans: API Gateway runs one `CreateUsagePlanKey` at a time in
   * an account and region, and refuses concurrent calls with 409.
   *
   * @see https://github.com/serverless/serverless/issues/12065
   */
  #addKeysInTurn(): void {
    let earlier: CfnUsagePlanKey | undefined;
    for (const { plan: name, key } of this.keys) {
      const plan = this.#planOf(name);
      // The id that UsagePlan.addApiKey gives, which depends on the key and not on its place among the others.
      const link = new CfnUsagePlanKey(plan, `UsagePlanKeyResource:${Names.nodeUniqueId(key.node)}`, {
        keyId: key.keyId,
        keyType: 'API_KEY',
        usagePlanId: plan.usagePlanId,
      });
      if (earlier !== undefined) link.addResourceDependency(earlier);
      earlier = link;
    }
  }

  #planOf(name: string): UsagePlan {
    const plan = this.#plans.get(name);
    if (plan === undefined) throw new TypeError(`there is no usage plan ${name}`);
    return plan;
  }
}
