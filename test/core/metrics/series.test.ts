import { describe, expect, test } from '@jest/globals';
import { countSeries } from '../../../core/metrics/series.ts';

const ONE_MODEL = { versionsOfModels: [1], hasJobs: false } as const;

describe('countSeries', () => {
  test('is zero when the deployment measures nothing', () => {
    expect(countSeries({ ...ONE_MODEL, level: 'off', hasJobs: true })).toBe(0);
  });

  test('is eleven for each model by default, and eleven more for each version in detail', () => {
    expect(countSeries({ ...ONE_MODEL, level: 'basic' })).toBe(11);
    expect(countSeries({ ...ONE_MODEL, versionsOfModels: [3], level: 'basic' })).toBe(11);
    expect(countSeries({ ...ONE_MODEL, versionsOfModels: [2, 1], level: 'detailed' })).toBe(2 * 11 + 3 * 11);
  });

  test('adds with jobs seventeen for each model and nine for the deployment', () => {
    const withJobs = { level: 'basic', hasJobs: true } as const;
    expect(countSeries({ ...withJobs, versionsOfModels: [1] })).toBe(11 + 17 + 9);
    expect(countSeries({ ...withJobs, versionsOfModels: [1, 1] })).toBe(2 * (11 + 17) + 9);
  });
});
