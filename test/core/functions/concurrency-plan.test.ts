import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { planConcurrency } from '../../../core/functions/concurrency-plan.ts';

const BACKGROUND = [10, 5, 10, 40, 10, 10].map((maxConcurrency, index) => ({ name: `w${index}`, maxConcurrency }));
const OPTIONS = { account: 1000, interactiveShare: 0.5, background: BACKGROUND, reserved: 0, source: 'config' };

describe('planConcurrency', () => {
  it('assigns background work its maximum in an account of the usual size', () => {
    expect(planConcurrency(OPTIONS)).toEqual({
      account: 1000,
      interactive: 915,
      background: 85,
      limits: [10, 5, 10, 40, 10, 10],
      isReduced: false,
    });
  });

  it('reduces background work in proportion to its share', () => {
    const plan = planConcurrency({ ...OPTIONS, account: 100 });
    expect(plan.background).toBeLessThanOrEqual(50);
    expect(plan).toMatchObject({ isReduced: true, limits: [5, 2, 5, 23, 5, 5] });
    expect(plan.warning).toBeUndefined();
  });

  it('warns that background work can take all of a new account', () => {
    const plan = planConcurrency({ ...OPTIONS, account: 10 });
    expect(plan).toMatchObject({ limits: [2, 2, 2, 2, 2, 2], interactive: 0, background: 12 });
    expect(plan.warning).toMatch(/at least 12 of the account's 10 .* can take all of them.* quota/);
  });

  it('warns if background work gets more than its share', () => {
    expect(planConcurrency({ ...OPTIONS, account: 20 }).warning).toMatch(/leaves 8 for callers/);
  });

  it('refuses reservations that AWS refuses', () => {
    expect(() => planConcurrency({ ...OPTIONS, reserved: 901 })).toThrow(/keeps 100 of the account's 1000 unreserved/);
    expect(() => planConcurrency({ ...OPTIONS, account: 10, reserved: 1 })).toThrow(
      "config: models reserve or provision 1 concurrent executions, but AWS Lambda keeps 100 of the account's 10 unreserved; so an account with 10 can reserve and provision none; remove compute.reservedConcurrency and compute.provisioned, or raise concurrency.account once AWS has raised your quota",
    );
    expect(planConcurrency({ ...OPTIONS, reserved: 900 }).background).toBeLessThanOrEqual(50);
  });

  it('never exceeds the share unless each mapping has the least that AWS accepts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 5000 }),
        fc.array(fc.integer({ min: 2, max: 1000 }), { maxLength: 30 }),
        fc.double({ min: 0, max: 0.95, noNaN: true }),
        (account, requested, interactiveShare) => {
          const background = requested.map((maxConcurrency) => ({ name: '', maxConcurrency }));
          const { limits, background: total } = planConcurrency({ ...OPTIONS, account, interactiveShare, background });
          expect(limits.every((limit, index) => limit >= 2 && limit <= (requested[index] ?? 0))).toBe(true);
          const share = Math.floor(account * (1 - interactiveShare));
          expect(total <= share || limits.every((limit) => limit === 2)).toBe(true);
        },
      ),
    );
  });
});
