import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { delaySeconds, nextAttemptMs, RETRY_SECONDS, readRetryAfter, waitMs } from '../../../core/webhooks/schedule.ts';

describe('nextAttemptMs', () => {
  it('follows the schedule of the standard, over more than three days', () => {
    const pauses = RETRY_SECONDS.map((_, index) => nextAttemptMs({ attempts: index + 1, nowMs: 0, random: 0 }));
    expect(pauses).toEqual(RETRY_SECONDS.map((seconds) => seconds * 1000));
    expect(RETRY_SECONDS.reduce((sum, seconds) => sum + seconds, 0)).toBeGreaterThan(3 * 24 * 3600);
  });

  it('ends after the last attempt', () => {
    expect(nextAttemptMs({ attempts: RETRY_SECONDS.length + 1, nowMs: 0, random: 0 })).toBeUndefined();
  });

  it('waits as long as the receiver asks for, a day at most', () => {
    const asked = (retryAfterSeconds: number) => nextAttemptMs({ attempts: 1, nowMs: 0, random: 0, retryAfterSeconds });
    expect(asked(2)).toBe(5000);
    expect(asked(600)).toBe(600_000);
    expect(asked(10_000_000)).toBe(24 * 3_600_000);
  });

  it('spreads attempts by a tenth and never comes early', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: RETRY_SECONDS.length }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempts, random) => {
          const seconds = (nextAttemptMs({ attempts, nowMs: 0, random }) ?? 0) / 1000;
          const planned = RETRY_SECONDS[attempts - 1] ?? 0;
          expect(seconds).toBeGreaterThanOrEqual(planned);
          expect(seconds).toBeLessThanOrEqual(planned * 1.1);
        },
      ),
    );
  });
});

describe('delaySeconds', () => {
  it.each([
    [0, 0],
    [-5000, 0],
    [1, 1],
    [1500, 2],
    [900_000, 900],
    [3_600_000, 900],
  ])('returns, for a message that is due in %d ms, %d', (dueMs, seconds) => {
    expect(delaySeconds(1_000_000 + dueMs, 1_000_000)).toBe(seconds);
  });
});

describe('readRetryAfter', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    [undefined, undefined],
    ['120', 120],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60],
    ['Thu, 01 Jan 2015 00:01:00 GMT', 0],
    ['soon', undefined],
  ])('reads %s as %s', (value, seconds) => {
    expect(readRetryAfter(value, nowMs)).toBe(seconds);
  });
});

describe('waitMs', () => {
  it('doubles the wait each time, up to 15 minutes, and spreads it', () => {
    expect([0, 1, 2, 9, 1000].map((waits) => waitMs(waits, 0))).toEqual([2000, 4000, 8000, 900_000, 900_000]);
    expect(waitMs(2, 0.5)).toBe(6000);
  });
});
