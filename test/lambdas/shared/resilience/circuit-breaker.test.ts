import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker } from '../../../../lambdas/shared/resilience/circuit-breaker.ts';
import { testClock } from '../../../contracts/result-cache.ts';

function opened() {
  const clock = testClock();
  const breaker = new CircuitBreaker({ failures: 3, openMs: 1000, clock });
  for (let failure = 0; failure < 3; failure++) breaker.failed();
  return { clock, breaker };
}

describe('CircuitBreaker', () => {
  it('lets attempts through until enough of them failed in a row', () => {
    const breaker = new CircuitBreaker({ failures: 3, openMs: 1000, clock: testClock() });
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    breaker.failed();
    breaker.failed();
    expect(breaker.allows()).toBe(true);
    breaker.failed();
    expect(breaker.allows()).toBe(false);
  });

  it('lets one attempt through once its time has passed, and no second before that one ended', () => {
    const { clock, breaker } = opened();
    clock.nowMs += 999;
    expect(breaker.allows()).toBe(false);
    clock.nowMs += 1;
    expect(breaker.allows()).toBe(true);
    expect(breaker.allows()).toBe(false);
  });

  it('closes when that attempt succeeds', () => {
    const { clock, breaker } = opened();
    clock.nowMs += 1000;
    breaker.allows();
    breaker.succeeded();
    expect([breaker.allows(), breaker.allows()]).toEqual([true, true]);
  });

  it('opens again when that attempt fails', () => {
    const { clock, breaker } = opened();
    clock.nowMs += 1000;
    breaker.allows();
    clock.nowMs += 10;
    breaker.failed();
    clock.nowMs += 999;
    expect(breaker.allows()).toBe(false);
    clock.nowMs += 1;
    expect(breaker.allows()).toBe(true);
  });
});
