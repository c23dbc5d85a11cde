import { describe, expect, it } from '@jest/globals';
import { type Choosable, type Criteria, choose, type Preference } from '../../../onnx/gate/choose.ts';

const candidate = (changes: Partial<Choosable> & { readonly ratio?: number; readonly spread?: number } = {}) => {
  const { ratio = 1, spread = 0.02, ...others } = changes;
  return {
    speedup: { ratio, low: ratio - spread, high: ratio + spread },
    bytes: 1000,
    weightShare: 0.5,
    meanError: 0.01,
    batchInvariant: undefined,
    ...others,
  };
};

const criteria = (prefer: Preference, batchInvarianceWorth = 1, mustGain = true): Criteria => ({
  prefer,
  batchInvarianceWorth,
  mustGain,
});

describe('choose', () => {
  it('chooses the fastest if it is significantly faster', () => {
    const [slow, fast] = [candidate({ bytes: 500 }), candidate({ ratio: 2 })];
    expect(choose([slow, fast], criteria('speed'))).toBe(fast);
  });

  it('chooses the smaller one if noise may explain the difference in speed', () => {
    const [small, noisy] = [candidate({ bytes: 500, ratio: 1.2 }), candidate({ ratio: 1.5, spread: 0.4 })];
    expect(choose([noisy, small], criteria('speed'))).toBe(small);
  });

  it('chooses the more accurate one of the same size and speed, else the first', () => {
    const [first, second, exact] = [candidate(), candidate(), candidate({ bytes: 1005, meanError: 0.001 })];
    expect(choose([first, second, exact], criteria('speed'))).toBe(exact);
    expect(choose([first, second], criteria('speed'))).toBe(first);
  });

  it.each([
    ['size', 1],
    ['accuracy', 2],
    ['speed', 0],
  ] as const)('lets the preference for %s decide', (prefer, index) => {
    const trials = [candidate({ ratio: 3 }), candidate({ bytes: 300 }), candidate({ meanError: 0.0001, bytes: 2000 })];
    expect(choose(trials, criteria(prefer))).toBe(trials[index]);
  });

  it('accepts a slower candidate with the same bits in a batch, up to the worth of that property', () => {
    const [fast, invariant] = [candidate({ ratio: 2.4 }), candidate({ ratio: 2, batchInvariant: true })];
    expect(choose([fast, invariant], criteria('speed', 1.25))).toBe(invariant);
    expect(choose([fast, invariant], criteria('speed', 1.1))).toBe(fast);
  });

  it('drops what is neither smaller nor surely faster than the original', () => {
    expect(choose([candidate({ weightShare: 0.98, ratio: 1.1, spread: 0.2 })], criteria('speed'))).toBeUndefined();
    expect(choose([candidate({ weightShare: 0.98, ratio: 1.5 })], criteria('size'))).toBeDefined();
  });

  it('drops what surely takes twice the time, unless something else than speed is preferred', () => {
    const [slow, unsure] = [candidate({ ratio: 0.3 }), candidate({ ratio: 0.3, spread: 0.25 })];
    expect(choose([slow], criteria('speed'))).toBeUndefined();
    expect(choose([unsure], criteria('speed'))).toBe(unsure);
    expect(choose([slow], criteria('size'))).toBe(slow);
  });

  it('drops nothing when no gain is asked for', () => {
    const useless = candidate({ weightShare: 1.2, ratio: 0.1 });
    expect(choose([useless], criteria('speed', 1, false))).toBe(useless);
  });
});
