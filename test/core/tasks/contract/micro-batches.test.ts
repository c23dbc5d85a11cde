import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planRuns, type RunBudget } from '../../../../core/tasks/contract/micro-batches.ts';

const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 });
const budget = fc.record({ maxCost: fc.integer({ min: 1, max: 1024 }), maxItems: fc.integer({ min: 1, max: 64 }) });
const RUN_COST = 8;

function paddedTokens(batch: readonly number[], of: readonly number[]): number {
  return batch.length * Math.max(...batch.map((index) => of[index] ?? 0));
}

function cost(batches: readonly (readonly number[])[], of: readonly number[]): number {
  return batches.reduce((sum, batch) => sum + paddedTokens(batch, of) + RUN_COST, 0);
}

/** Cheapest cut of a sorted row, by trying them all. */
function cheapest(sorted: readonly number[], limits: Pick<RunBudget, 'maxCost' | 'maxItems'>): number {
  if (sorted.length === 0) return 0;
  let best = Number.POSITIVE_INFINITY;
  for (let count = 1; count <= Math.min(sorted.length, limits.maxItems); count++) {
    const tokens = count * (sorted[count - 1] ?? 0);
    if (count > 1 && tokens > limits.maxCost) continue;
    best = Math.min(best, tokens + RUN_COST + cheapest(sorted.slice(count), limits));
  }
  return best;
}

describe('planRuns', () => {
  it('runs every item exactly once', () => {
    fc.assert(
      fc.property(lengths, budget, (items, limits) => {
        const planned = planRuns(items, limits).flat();
        expect([...planned].sort((a, b) => a - b)).toEqual(items.map((_, index) => index));
      }),
    );
  });

  it('keeps every run within the budget, unless one item alone exceeds it', () => {
    fc.assert(
      fc.property(lengths, budget, (items, limits) => {
        for (const batch of planRuns(items, limits)) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(limits.maxItems);
          expect(batch.length === 1 || paddedTokens(batch, items) <= limits.maxCost).toBe(true);
        }
      }),
    );
  });

  it('puts items in the order of their lengths, equal ones in the order given', () => {
    fc.assert(
      fc.property(lengths, budget, (items, limits) => {
        const sorted = items.map((length, index) => ({ length, index })).sort((a, b) => a.length - b.length);
        expect(planRuns(items, limits).flat()).toEqual(sorted.map(({ index }) => index));
      }),
    );
  });

  it('costs no more than running one by one', () => {
    fc.assert(
      fc.property(lengths, budget, (items, limits) => {
        const oneByOne = items.map((_, index) => [index]);
        expect(cost(planRuns(items, limits), items)).toBeLessThanOrEqual(cost(oneByOne, items));
      }),
    );
  });

  it('finds the cheapest of all cuts of the sorted row', () => {
    const few = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 9 });
    fc.assert(
      fc.property(few, budget, (items, limits) => {
        const sorted = [...items].sort((a, b) => a - b);
        expect(cost(planRuns(items, limits), items)).toBe(cheapest(sorted, limits));
      }),
    );
  });

  it.each([
    { what: 'nothing', items: [], maxCost: 256, expected: [] },
    { what: 'one long item', items: [512], maxCost: 256, expected: [[0]] },
    {
      what: 'equal items that fill the budget',
      items: [64, 64, 64, 64, 64],
      maxCost: 256,
      expected: [[0], [1, 2, 3, 4]],
    },
    { what: 'a short and a long item that would pad much', items: [200, 4], maxCost: 1024, expected: [[1], [0]] },
    { what: 'items of nearly the same length', items: [12, 10, 11], maxCost: 256, expected: [[1, 2, 0]] },
  ])('plans $what', ({ items, maxCost, expected }) => {
    expect(planRuns(items, { maxCost, maxItems: 64 })).toEqual(expected);
  });
});
