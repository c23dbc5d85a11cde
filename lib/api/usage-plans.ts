import { ApiKey, Period, type RestApi, UsagePlan } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import type { UsagePlanConfig } from '../../core/config/deploy-config.ts';

/** Settings of {@link UsagePlans}. */
export interface UsagePlansProps {
  /** The API whose deployed stage the plans open. */
  readonly restApi: RestApi;
  /** Limits by plan name. */
  readonly plans: Readonly<Record<string, UsagePlanConfig>>;
}

/** A key and the plan that it belongs to. */
export interface PlanKey {
  /** Name of the usage plan. */
  readonly plan: string;
  /** Name of the key inside its plan. */
  readonly name: string;
  /** The key; its value is made by AWS and never in the template. */
  readonly key: ApiKey;
}

/** Usage plans of an API and their keys. */
export class UsagePlans extends Construct {
  /** Every key of every plan. */
  readonly keys: readonly PlanKey[];

  constructor(scope: Construct, id: string, props: UsagePlansProps) {
    super(scope, id);
    this.keys = Object.entries(props.plans).flatMap(([name, plan]) => this.addPlan(props.restApi, name, plan));
  }

  private addPlan(restApi: RestApi, name: string, config: UsagePlanConfig): PlanKey[] {
    const stage = restApi.deploymentStage;
    const plan = new UsagePlan(this, name, {
      name,
      throttle: { rateLimit: config.rateLimit, burstLimit: config.burstLimit },
      ...(config.quota === undefined
        ? {}
        : { quota: { limit: config.quota.limit, period: Period[config.quota.period] } }),
      apiStages: [{ api: restApi, stage }],
    });
    return config.keys.map((keyName) => {
      const key = new ApiKey(plan, keyName, { apiKeyName: `${name}-${keyName}` });
      plan.addApiKey(key);
      return { plan: name, name: keyName, key };
    });
  }
}
