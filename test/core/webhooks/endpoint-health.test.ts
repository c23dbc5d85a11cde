import { describe, expect, it } from '@jest/globals';
import {
  afterCutOff,
  afterFailure,
  afterSuccess,
  expectedMs,
  isQuick,
  MAX_FAILURES,
  patientLimits,
  UNKNOWN,
} from '../../../core/webhooks/endpoint-health.ts';

describe('afterFailure', () => {
  it('lets a receiver rest after five failures in a row, twice as long each time, an hour at most', () => {
    let health = UNKNOWN;
    let nowMs = 1000;
    const rests: number[] = [];
    for (let failure = 0; failure < MAX_FAILURES + 8; failure++) {
      nowMs = Math.max(nowMs, health.openUntilMs);
      health = afterFailure(health, nowMs, nowMs);
      rests.push(health.openUntilMs === 0 ? 0 : (health.openUntilMs - nowMs) / 60_000);
    }
    expect(rests).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('does not prolong a pause that started while the attempt was running', () => {
    let health = UNKNOWN;
    for (let attempt = 0; attempt < 400; attempt++) health = afterFailure(health, 1000, 1000 + attempt);
    expect(health).toEqual({ failures: MAX_FAILURES, openUntilMs: 1000 + MAX_FAILURES - 1 + 60_000 });
  });
});

describe('a receiver', () => {
  it('is quick once it has responded within a second, and stays so without a write', () => {
    expect(isQuick(UNKNOWN)).toBe(false);
    const quick = afterSuccess(UNKNOWN, 80);
    expect(quick).toEqual({ failures: 0, openUntilMs: 0, meanMs: 80 });
    expect(isQuick(quick)).toBe(true);
    expect(afterSuccess(quick, 300)).toBe(quick);
  });

  it('is not quick after an attempt was cut off, and is again after a few quick responses', () => {
    let health = afterCutOff(afterSuccess(UNKNOWN, 80));
    expect(isQuick(health)).toBe(false);
    expect(afterCutOff(health)).toBe(health);
    for (let response = 0; response < 3; response++) health = afterSuccess(health, 80);
    expect(isQuick(health)).toBe(true);
  });

  it('is expected to take half more than its average, 2 to 15 s', () => {
    const withMean = (meanMs: number) => expectedMs({ ...UNKNOWN, meanMs });
    expect([expectedMs(UNKNOWN), withMean(100), withMean(4000), withMean(14_000)]).toEqual([
      15_000, 2000, 6000, 15_000,
    ]);
  });

  it('forgets its failures after a success', () => {
    const failed = afterFailure(afterSuccess(UNKNOWN, 80), 0, 0);
    expect(afterSuccess(failed, 80)).toEqual({ failures: 0, openUntilMs: 0, meanMs: 80 });
  });
});

describe('patientLimits', () => {
  it.each([
    [40, { ofReceiver: 2, ofTenant: 4, ofAll: 20 }],
    [10, { ofReceiver: 1, ofTenant: 1, ofAll: 5 }],
    [2, { ofReceiver: 1, ofTenant: 1, ofAll: 1 }],
    [1, { ofReceiver: 1, ofTenant: 1, ofAll: 1 }],
  ])('leave room for quick receivers among %i concurrent invocations', (maxConcurrency, limits) => {
    expect(patientLimits(maxConcurrency)).toEqual(limits);
  });
});
