import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { breakEvenHitRate, idleMonthlyUsd } from '../../../core/costs/cost.ts';

const ON_DEMAND = { memoryMiB: 1769, architecture: 'x86_64', provisionedMin: 0 } as const;

describe('idleMonthlyUsd', () => {
  it('is zero when functions start on demand', () => {
    expect(idleMonthlyUsd([ON_DEMAND, ON_DEMAND]).total).toBe(0);
    expect(idleMonthlyUsd([]).total).toBe(0);
  });

  it.each([
    // 1 GiB x 2,628,000 s x 0.0000041667 USD, and two alarms
    { architecture: 'x86_64', memoryMiB: 1024, provisionedMin: 1, usd: 10.95 + 0.2 },
    { architecture: 'arm64', memoryMiB: 1024, provisionedMin: 1, usd: 8.76 + 0.2 },
    { architecture: 'x86_64', memoryMiB: 2048, provisionedMin: 3, usd: 65.7 + 0.2 },
  ] as const)('is $usd for $provisionedMin x $memoryMiB MiB $architecture', ({ usd, ...priced }) => {
    expect(idleMonthlyUsd([priced]).total).toBeCloseTo(usd, 2);
  });

  it('counts the cost of polling, and reports the part that the free tier may cover', () => {
    // 6 queues x 5 receivers x 131,400 requests of 20 seconds in 730 hours, at 0.40 USD a million
    const { total, lines } = idleMonthlyUsd([ON_DEMAND], { queues: { mappings: 6, alarms: 0 } });
    expect(total).toBeCloseTo(1.5768, 4);
    expect(lines.filter(({ usd }) => usd > 0)).toEqual([
      {
        what: 'polling of 6 queues, 3,942,000 requests',
        usd: total,
        note: "up to $0.40 less where nothing else uses the account's 1,000,000 free requests",
      },
    ]);
  });

  it('reports that the free tier may cover all of the cost of one queue', () => {
    const { lines } = idleMonthlyUsd([], { queues: { mappings: 1, alarms: 0 } });
    expect(lines.at(-1)).toHaveProperty('note', expect.stringMatching(/^up to \$0\.26 less/));
  });

  it('counts the alarms of jobs, and those of the API', () => {
    const { total, lines } = idleMonthlyUsd([], { queues: { mappings: 0, alarms: 4 }, alarms: 6 });
    expect(total).toBeCloseTo(1, 6);
    expect(lines.slice(-2).map(({ what }) => what)).toEqual(['alarms of jobs, 4', 'alarms of the API, 6']);
  });

  it('counts the cost of a schedule that finds no work', () => {
    // 8,760 runs x 1 s x 0.5 GiB x 0.0000133334 USD, and requests and reads of less than a cent
    const sweep = { name: 'sweep-records', memoryMiB: 512, architecture: 'arm64', everyMinutes: 5 } as const;
    const { total, lines } = idleMonthlyUsd([], { queues: { mappings: 0, alarms: 0, scheduled: [sweep] } });
    expect(total).toBeCloseTo(0.0623, 4);
    expect(lines.at(-1)?.what).toBe('function sweep-records every 5 minutes, 8,760 runs');
  });

  it('sums its lines, none of them negative', () => {
    const priced = fc.record({
      memoryMiB: fc.integer({ min: 512, max: 10_240 }),
      architecture: fc.constantFrom('x86_64' as const, 'arm64' as const),
      provisionedMin: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(priced), (functions) => {
        const { total, lines } = idleMonthlyUsd(functions);
        expect(lines.every(({ usd }) => usd >= 0)).toBe(true);
        expect(total).toBeCloseTo(
          lines.reduce((sum, { usd }) => sum + usd, 0),
          6,
        );
      }),
    );
  });
});

describe('breakEvenHitRate', () => {
  const result = { memoryMiB: 1769, architecture: 'arm64', itemBytes: 1700 } as const;

  it('is undefined if computing is cheaper than looking up', () => {
    expect(breakEvenHitRate({ ...result, computeMs: 4 })).toBeUndefined();
  });

  it('is low if computing is expensive', () => {
    // look-up 0.0625 + 0.0921, write 1.25, computing 4.607 dollars a million: (0.1546 + 1.25) / (4.607 + 1.25)
    expect(breakEvenHitRate({ ...result, computeMs: 200 })).toBeCloseTo(0.2398, 3);
  });

  it('falls as computing becomes more expensive', () => {
    const ms = fc.integer({ min: 10, max: 10_000 });
    fc.assert(
      fc.property(ms, ms, (a, b) => {
        const [cheap, dear] = [Math.min(a, b), Math.max(a, b)];
        const rateOf = (computeMs: number) => breakEvenHitRate({ ...result, computeMs }) ?? 2;
        expect(rateOf(dear)).toBeLessThanOrEqual(rateOf(cheap));
      }),
    );
  });

  it('counts the time of the look-up', () => {
    const slow = breakEvenHitRate({ ...result, computeMs: 500, lookupMs: 40 });
    expect(slow).toBeGreaterThan(breakEvenHitRate({ ...result, computeMs: 500 }) ?? 0);
  });
});
