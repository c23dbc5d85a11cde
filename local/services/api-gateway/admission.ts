import type { Clock } from '../../../core/clock.ts';
import type { ApiPlan, MethodPlan, ThrottlePlan, UsagePlanPlan } from '../../template/plan-apis.ts';
import type { PresentedKey } from './exchange.ts';
import { GatewayError } from './gateway-error.ts';
import { Quota } from './quota.ts';
import { TokenBucket } from './token-bucket.ts';

/** Limits of an AWS account, which apply unless tighter ones are set. */
const ACCOUNT_THROTTLE = { rate: 10_000, burst: 5000 } as const;

interface Member {
  readonly key: PresentedKey;
  readonly plan: UsagePlanPlan;
}

/** Decides who may come in: keys, the throttles of usage plans, stage and account, and quotas. */
export class Admission {
  readonly #api: ApiPlan;
  readonly #clock: Clock;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #quotas = new Map<string, Quota>();

  /**
   * @param keyValues - Value of each key by its id.
   */
  constructor(api: ApiPlan, keyValues: ReadonlyMap<string, string>, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
    this.#members = new Map(membersOf(api, keyValues).map((member) => [member.key.value, member]));
  }

  /** The key of a value that a request presents; undefined if it is unknown. */
  keyOf(presented: string | undefined): PresentedKey | undefined {
    return this.#members.get(presented ?? '')?.key;
  }

  /**
   * Admits a request to a method.
   *
   * Limits are taken in the order of AWS: plan and method, plan and key, stage and method, account; then the quota.
   *
   * @param presented - Value of the key, from the source that the API names.
   * @throws GatewayError `INVALID_API_KEY`, `THROTTLED` or `QUOTA_EXCEEDED`.
   */
  admit(method: MethodPlan, presented: string | undefined): void {
    const member = method.apiKeyRequired ? this.#members.get(presented ?? '') : undefined;
    if (method.apiKeyRequired && member === undefined) throw new GatewayError('INVALID_API_KEY');
    if (member !== undefined) this.#throttleByPlan(member, method);
    const route = `${method.resourcePath}/${method.httpMethod}`;
    const ofStage = { ...this.#api.methodThrottles['*'], ...definedOnly(this.#api.methodThrottles[route]) };
    this.#throttle(`stage ${route}`, ofStage);
    this.#throttle('account', {});
    if (member !== undefined) this.#count(member);
  }

  #throttleByPlan({ key, plan }: Member, method: MethodPlan): void {
    const route = `${method.resourcePath}/${method.httpMethod}`;
    const ofMethod = plan.methodThrottles[route];
    if (ofMethod !== undefined) this.#throttle(`key ${key.id} ${route}`, ofMethod);
    if (plan.throttle !== undefined) this.#throttle(`key ${key.id}`, plan.throttle);
  }

  #throttle(name: string, { RateLimit: rate, BurstLimit: burst }: ThrottlePlan): void {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new TokenBucket(rate ?? ACCOUNT_THROTTLE.rate, burst ?? ACCOUNT_THROTTLE.burst, this.#clock);
      this.#buckets.set(name, bucket);
    }
    if (!bucket.take()) throw new GatewayError('THROTTLED');
  }

  #count({ key, plan: { quota } }: Member): void {
    if (quota === undefined) return;
    let counter = this.#quotas.get(key.id);
    if (counter === undefined) {
      counter = new Quota(quota.limit, quota.period, quota.offset, this.#clock);
      this.#quotas.set(key.id, counter);
    }
    if (!counter.take()) throw new GatewayError('QUOTA_EXCEEDED');
  }
}

/** Enabled keys that belong to a plan of the stage. */
function membersOf(api: ApiPlan, keyValues: ReadonlyMap<string, string>): Member[] {
  return api.apiKeys.flatMap(({ id, name, enabled, planIds }) => {
    const plan = api.usagePlans.find((candidate) => planIds.includes(candidate.id));
    const value = keyValues.get(id);
    return enabled && plan !== undefined && value !== undefined
      ? [{ key: { id, name, value, plan: plan.name }, plan }]
      : [];
  });
}

function definedOnly(throttle: ThrottlePlan | undefined): ThrottlePlan {
  return Object.fromEntries(Object.entries(throttle ?? {}).filter(([, value]) => value !== undefined));
}
