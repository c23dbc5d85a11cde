import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ageSeconds, cacheState, fanOut, missedItems, planLookup } from '../../../core/results/lookup-plan.ts';

const fingerprints = fc.array(fc.constantFrom<string>('a', 'b', 'c', 'd'), { maxLength: 12 });

describe('planLookup', () => {
  it('names every fingerprint once, by its first item', () => {
    fc.assert(
      fc.property(fingerprints, (all) => {
        const plan = planLookup(all);
        expect(plan.fingerprints).toEqual([...new Set(all)]);
        expect(plan.items).toEqual(plan.fingerprints.map((fingerprint) => all.indexOf(fingerprint)));
      }),
    );
  });

  it('assigns every item the result of its own fingerprint', () => {
    fc.assert(
      fc.property(fingerprints, (all) => {
        const plan = planLookup(all);
        const results = plan.fingerprints.map((fingerprint) => `result of ${fingerprint}`);
        expect(fanOut(plan, results)).toEqual(all.map((fingerprint) => `result of ${fingerprint}`));
      }),
    );
  });
});

describe('missedItems', () => {
  it('computes one item for each fingerprint that was not found', () => {
    const plan = planLookup(['a', 'b', 'a', 'c', 'b']);
    expect(missedItems(plan, new Map())).toEqual([0, 1, 3]);
    expect(missedItems(plan, new Map([['b', 1]]))).toEqual([0, 3]);
    expect(missedItems(plan, new Map(['a', 'b', 'c'].map((key) => [key, 1])))).toEqual([]);
  });
});

describe('cacheState', () => {
  it.each([
    [0, 3, false, 'BYPASS'],
    [0, 3, true, 'MISS'],
    [1, 3, true, 'PARTIAL'],
    [3, 3, true, 'HIT'],
  ] as const)(
    'reports, for %d of %d results found and the read permission %s, %s',
    (found, requested, read, expected) => {
      expect(cacheState(found, requested, read)).toBe(expected);
    },
  );
});

describe('ageSeconds', () => {
  it('is the age of a result in whole seconds', () => {
    expect(ageSeconds(4500, 10_000)).toBe(5);
  });

  it('is zero for a result of a clock that runs ahead', () => {
    expect(ageSeconds(11_000, 10_000)).toBe(0);
  });
});
