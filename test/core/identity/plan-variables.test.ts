import { describe, expect, it } from '@jest/globals';
import { DEFAULT_BUDGETS } from '../../../core/identity/budgets.ts';
import { NO_GRANTS } from '../../../core/identity/grants.ts';
import { planOfKey, readPlan, renderPlanVariables } from '../../../core/identity/plan-variables.ts';

const KEYS = Array.from({ length: 45 }, (_, index) => `k${String(index).padStart(9, '0')}`);

const GRANTS = {
  replyQueues: Array.from({ length: 20 }, (_, index) => `a-long-name-of-a-reply-queue-${index}`),
  eventBus: true,
  inputBuckets: [
    { bucket: 'data.lake', prefix: 'day=2026-11-28/team_a:~/' },
    { bucket: 'whole', prefix: '' },
  ],
};

const SMALL = { ...DEFAULT_BUDGETS, storedBytes: 5, openBatches: 1 };

const VARIABLES = renderPlanVariables([
  { name: 'free', keyIds: ['f1'], grants: NO_GRANTS, budgets: DEFAULT_BUDGETS },
  { name: 'pro-eu', keyIds: KEYS, grants: GRANTS, budgets: SMALL },
  { name: 'pro', keyIds: [], grants: { ...NO_GRANTS, eventBus: true }, budgets: DEFAULT_BUDGETS },
]);

describe('the stage variables of plans', () => {
  it('contain the plan of every key, even of many keys', () => {
    expect(planOfKey('f1', VARIABLES)).toBe('free');
    for (const key of KEYS) expect(planOfKey(key, VARIABLES)).toBe('pro-eu');
  });

  it('contain no plan of any other key', () => {
    for (const key of ['f', 'f11', 'pro-eu', '', 'bus', '1']) expect(planOfKey(key, VARIABLES)).toBeUndefined();
    expect(planOfKey('f1', {})).toBeUndefined();
    expect(planOfKey('f1', { other: 'free:keys=f1', plan_0: undefined })).toBeUndefined();
  });

  it('contain the grants of each plan and nothing of another', () => {
    expect(readPlan('pro-eu', VARIABLES).grants).toEqual(GRANTS);
    expect(readPlan('free', VARIABLES).grants).toEqual(NO_GRANTS);
    expect(readPlan('pro', VARIABLES).grants).toEqual({ ...NO_GRANTS, eventBus: true });
  });

  it('contain the budgets of each plan', () => {
    expect(readPlan('pro-eu', VARIABLES).budgets).toEqual(SMALL);
    for (const plan of ['free', 'pro', 'gold', undefined]) {
      expect(readPlan(plan, VARIABLES).budgets).toEqual(DEFAULT_BUDGETS);
    }
  });

  it.each([undefined, '', 'gold', 'constructor'])('grant nothing to a caller of the plan %j', (plan) => {
    expect(readPlan(plan, VARIABLES).grants).toEqual(NO_GRANTS);
  });

  it('fit what API Gateway accepts, and leave out what a plan does not grant', () => {
    for (const [name, value] of Object.entries(VARIABLES)) {
      expect(name).toMatch(/^\w{1,64}$/);
      expect(value).toMatch(/^[A-Za-z0-9\-._~:/?#&=,]{1,512}$/);
    }
    expect(Object.values(VARIABLES).filter((value) => value.startsWith('free:'))).toEqual(['free:keys=f1']);
  });
});
