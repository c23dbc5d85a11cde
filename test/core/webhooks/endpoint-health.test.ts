import { describe, expect, it } from '@jest/globals';
import { afterFailure, HEALTHY, MAX_FAILURES } from '../../../core/webhooks/endpoint-health.ts';

describe('afterFailure', () => {
  it('lets a receiver rest after five failures in a row, twice as long each time, an hour at most', () => {
    let health = HEALTHY;
    const rests: number[] = [];
    for (let failure = 0; failure < MAX_FAILURES + 8; failure++) {
      health = afterFailure(health, 1000);
      rests.push(health.openUntilMs === 0 ? 0 : (health.openUntilMs - 1000) / 60_000);
    }
    expect(rests).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });
});
