import { describe, expect, it } from '@jest/globals';
import { partBytes } from '../../../core/files/assembly.ts';

const MIB = 1024 * 1024;

describe('partBytes', () => {
  it.each([
    [1, 8],
    [2500, 8],
    [2501, 16],
    [7501, 32],
    [10_000, 32],
  ])('makes part %i of %i MiB', (number, size) => {
    expect(partBytes(number)).toBe(size * MIB);
  });

  it('has no part beyond those that S3 takes', () => {
    expect(partBytes(10_001)).toBeUndefined();
  });

  it('holds 195 GiB in all', () => {
    const sum = Array.from({ length: 10_000 }, (_, index) => partBytes(index + 1) ?? 0).reduce((a, b) => a + b);
    expect(Math.floor(sum / 1024 / MIB)).toBe(195);
  });
});
