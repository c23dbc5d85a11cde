import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pickVersion } from '../../../core/traffic/version-split.ts';

/** Shares in hundredths of a percent that sum to 100 percent. */
const traffic = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 4 }).map((cuts) => {
  const edges = [0, ...cuts.slice(1).sort((a, b) => a - b), 10_000];
  return Object.fromEntries(
    edges.slice(1).map((edge, index) => [String(index + 1), (edge - (edges[index] ?? 0)) / 100]),
  );
});

const KEYS = Array.from({ length: 10_000 }, (_, index) => `caller-${index}`);

function shareOf(version: string, split: Readonly<Record<string, number>>): number {
  return (100 * KEYS.filter((key) => pickVersion(split, key) === version).length) / KEYS.length;
}

describe('pickVersion', () => {
  it('always gives the same version to the same key', () => {
    fc.assert(
      fc.property(traffic, fc.string(), (split, key) => {
        expect(pickVersion(split, key)).toBe(pickVersion({ ...split }, key));
      }),
    );
  });

  it('does not depend on the order in which versions are written', () => {
    fc.assert(
      fc.property(traffic, fc.string(), (split, key) => {
        const reversed = Object.fromEntries(
          Object.entries(split).map(([name, share]) => [`${20 - Number(name)}`, share]),
        );
        const written = Object.fromEntries(Object.entries(reversed).reverse());
        expect(pickVersion(written, key)).toBe(pickVersion(reversed, key));
      }),
    );
  });

  it('assigns each version its share, within one and a half percent', () => {
    fc.assert(
      fc.property(traffic, (split) => {
        for (const [version, share] of Object.entries(split)) {
          expect(Math.abs(shareOf(version, split) - share)).toBeLessThan(1.5);
        }
      }),
      { numRuns: 10 },
    );
  });

  it('counts hundredths of a percent', () => {
    const split = { '1': 99.5, '2': 0.5 };
    expect(shareOf('2', split)).toBeGreaterThan(0.3);
    expect(shareOf('2', split)).toBeLessThan(0.7);
  });

  it('never picks a version without traffic', () => {
    fc.assert(
      fc.property(traffic, fc.string(), (split, key) => {
        expect(split[pickVersion(split, key)]).toBeGreaterThan(0);
      }),
    );
  });

  it('moves callers only to the version whose share is raised', () => {
    const onSecond = (share: number) =>
      new Set(KEYS.slice(0, 2000).filter((key) => pickVersion({ '1': 100 - share, '2': share }, key) === '2'));
    expect(onSecond(30).isSupersetOf(onSecond(10))).toBe(true);
  });

  // Computed apart from the code: a release that moved callers to other versions would break their experiments.
  it.each([
    ['', '3'],
    ['a', '1'],
    ['b', '2'],
    ['api-key-1', '2'],
    ['203.0.113.7', '1'],
    ['日本', '1'],
  ])('keeps the caller %j at version %s from release to release', (key, version) => {
    expect(pickVersion({ '1': 50, '2': 30, '3': 20 }, key)).toBe(version);
  });

  it('gives the highest version what rounding leaves over', () => {
    expect(pickVersion({ '1': 0.001, '2': 0 }, 'any')).toBe('1');
  });

  it('gives no version when there is none', () => {
    expect(pickVersion({}, 'any')).toBe('');
  });
});
