import { expect, it } from '@jest/globals';
import { RESULTS_TABLE } from '../../../core/results/results-table.ts';

it('names each attribute once', () => {
  const names = Object.values(RESULTS_TABLE);
  expect(new Set(names).size).toBe(names.length);
});
