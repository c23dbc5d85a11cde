import { beforeEach, describe, expect, it } from '@jest/globals';
import { DependencyBreakers } from '../../../../lambdas/shared/resilience/dependency-breakers.ts';

const TABLE = 'the jobs table';
const BUCKET = 'the object store';

let nowMs: number;
let breakers: DependencyBreakers;

beforeEach(() => {
  nowMs = 0;
  breakers = new DependencyBreakers({ now: () => nowMs });
});

function failOften(dependency: string): void {
  for (let failure = 0; failure < 3; failure++) breakers.failed(dependency);
}

describe('a dependency', () => {
  it('is unavailable after three failures in a row, and only for work that needs it', () => {
    breakers.failed(TABLE);
    breakers.failed(TABLE);
    expect([breakers.areClosed([TABLE]), breakers.away([TABLE])]).toEqual([true, undefined]);
    breakers.failed(TABLE);
    expect([breakers.areClosed([TABLE]), breakers.away([BUCKET, TABLE])]).toEqual([false, TABLE]);
    expect([breakers.areClosed([BUCKET]), breakers.away([BUCKET])]).toEqual([true, undefined]);
  });

  it('is probed every ten seconds by one message while it is unavailable', () => {
    failOften(TABLE);
    nowMs += 9999;
    expect(breakers.away([TABLE])).toBe(TABLE);
    nowMs += 1;
    expect([breakers.away([TABLE]), breakers.away([TABLE])]).toEqual([undefined, TABLE]);
  });

  it('is available again as soon as work that needs it succeeds', () => {
    failOften(TABLE);
    nowMs += 10_000;
    expect(breakers.away([TABLE])).toBeUndefined();
    breakers.succeeded([TABLE, BUCKET]);
    expect([breakers.areClosed([TABLE]), breakers.away([TABLE])]).toEqual([true, undefined]);
  });
});
