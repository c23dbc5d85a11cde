import { describe, expect, it } from '@jest/globals';
import { makeTexts } from '../../bench/texts.ts';

const lengthOf = (text: string) => text.split(' ').length;

describe('texts of the bench', () => {
  it('are the same in every run', () => {
    expect(makeTexts(200)).toEqual(makeTexts(200));
    expect(makeTexts(3)).toEqual(makeTexts(200).slice(0, 3));
    expect(makeTexts(3, 2)).not.toEqual(makeTexts(3));
  });

  it('are mostly short and sometimes long', () => {
    const lengths = makeTexts(200)
      .map(lengthOf)
      .sort((a, b) => a - b);
    expect(lengths[0]).toBeGreaterThanOrEqual(3);
    expect(lengths[100]).toBeGreaterThan(14);
    expect(lengths[100]).toBeLessThan(27);
    expect(lengths[199]).toBeGreaterThan(60);
    expect(lengths[199]).toBeLessThanOrEqual(160);
  });
});
