import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Quota, type QuotaPeriod, windowStart } from '../../../../local/services/api-gateway/quota.ts';
import { TokenBucket } from '../../../../local/services/api-gateway/token-bucket.ts';
import { ManualClock } from '../../manual-clock.ts';

function takeAll(bucket: TokenBucket): number {
  let taken = 0;
  while (bucket.take()) taken += 1;
  return taken;
}

describe('TokenBucket', () => {
  it('gives its burst immediately and then nothing', () => {
    expect(takeAll(new TokenBucket(5, 10, new ManualClock()))).toBe(10);
  });

  it('fills at its rate, up to its burst', () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(5, 10, clock);
    takeAll(bucket);
    clock.nowMs += 199;
    expect(bucket.take()).toBe(false);
    clock.nowMs += 1;
    expect(bucket.take()).toBe(true);
    clock.nowMs += 3_600_000;
    expect(takeAll(bucket)).toBe(10);
  });

  it('gives nothing back when the clock is set back', () => {
    const clock = new ManualClock(1_000_000);
    const bucket = new TokenBucket(5, 1, clock);
    takeAll(bucket);
    clock.nowMs = 0;
    expect(bucket.take()).toBe(false);
  });

  it('never gives more than burst and rate over the time passed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat(2000)),
        (rate, burst, waits) => {
          const clock = new ManualClock();
          const bucket = new TokenBucket(rate, burst, clock);
          let taken = takeAll(bucket);
          for (const wait of waits) {
            clock.nowMs += wait;
            taken += takeAll(bucket);
          }
          expect(taken).toBeLessThanOrEqual(burst + (rate * clock.nowMs) / 1000 + 1e-6);
        },
      ),
    );
  });
});

describe('windowStart', () => {
  it.each<[QuotaPeriod, string, string]>([
    ['DAY', '2026-11-23T23:59:59.999Z', '2026-11-23T00:00:00.000Z'],
    ['DAY', '2026-11-24T00:00:00.000Z', '2026-11-24T00:00:00.000Z'],
    ['WEEK', '2026-11-23T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['WEEK', '2026-11-29T23:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['WEEK', '2026-03-01T12:00:00.000Z', '2026-02-23T00:00:00.000Z'],
    ['MONTH', '2024-02-29T12:00:00.000Z', '2024-02-01T00:00:00.000Z'],
    ['MONTH', '2026-12-31T23:59:59.000Z', '2026-12-01T00:00:00.000Z'],
  ])('returns, for a %s at %s, %s', (period, now, start) => {
    expect(new Date(windowStart(period, Date.parse(now))).toISOString()).toBe(start);
  });
});

describe('Quota', () => {
  it('starts again with each window', () => {
    const clock = new ManualClock(Date.parse('2026-11-23T10:00:00Z'));
    const quota = new Quota(2, 'DAY', 0, clock);
    expect([quota.take(), quota.take(), quota.take()]).toEqual([true, true, false]);
    clock.nowMs = Date.parse('2026-11-24T00:00:00Z');
    expect(quota.take()).toBe(true);
  });

  it('takes its offset off the first window only', () => {
    const clock = new ManualClock(Date.parse('2026-11-23T10:00:00Z'));
    const quota = new Quota(2, 'MONTH', 1, clock);
    expect([quota.take(), quota.take()]).toEqual([true, false]);
    clock.nowMs = Date.parse('2026-12-01T00:00:00Z');
    expect([quota.take(), quota.take(), quota.take()]).toEqual([true, true, false]);
  });
});
