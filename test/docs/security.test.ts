import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PRICES } from '../../core/costs/prices.ts';
import { BUDGET_NAMES, DEFAULT_BUDGETS } from '../../core/identity/budgets.ts';
import { budgetExceeded, renderUsage } from '../../core/usage/usage.ts';

const GUIDE = readFileSync('docs/security.md', 'utf8');

const GIB = 1024 ** 3;

/** The second cell of the row of a budget. */
function defaultOf(name: string): string {
  return new RegExp(`^\\| \`${name}\` \\| ([^|]+) \\|`, 'm').exec(GUIDE)?.[1] ?? '';
}

describe('docs/security.md', () => {
  it('has the default of every budget', () => {
    for (const name of BUDGET_NAMES) {
      const value = DEFAULT_BUDGETS[name];
      const text = name.endsWith('Bytes') ? `${value / GIB} GiB` : value.toLocaleString('en-US');
      expect({ name, text: defaultOf(name) }).toEqual({ name, text });
    }
  });

  it('shows a usage with the members that the route returns', () => {
    const shown = JSON.parse(/^```json\n(\{\n {2}"object": "usage".*?)^```/ms.exec(GUIDE)?.[1] ?? '{}');
    const nothing = { storedBytes: 0, files: 0, openBatches: [], openUploads: [] };
    const rendered = JSON.parse(renderUsage('free', nothing, DEFAULT_BUDGETS));
    expect(Object.keys(shown.budgets)).toEqual(Object.keys(rendered.budgets));
  });

  it('computes the costs of functions from the prices of the product', () => {
    const gibSecond = PRICES.lambdaGibSecond.x86_64;
    const memoryGib = 1769 / 1024;
    const dollars = (cost: number, digits: number) => `$${cost.toFixed(digits)}`;
    for (const text of [
      dollars(29 * memoryGib * gibSecond + PRICES.apiGatewayMillionRequests / 1e6, 5),
      dollars(25 * memoryGib * gibSecond, 5),
      dollars(20 * 86_400 * 0.5 * gibSecond, 2),
      dollars(10 * 86_400 * memoryGib * gibSecond, 0),
    ]) {
      expect(GUIDE).toContain(text);
    }
  });
});

describe('the error for a budget', () => {
  const usage = { storedBytes: 5, files: 1, openBatches: ['a'], openUploads: [] };

  it('names the budget that has no room', () => {
    const one = { ...DEFAULT_BUDGETS, openBatches: 1, files: 1 };
    const opens = { kind: 'openBatches', id: 'b' } as const;
    expect(budgetExceeded(usage, { opens }, one)).toMatchObject({ code: 'BUDGET_EXCEEDED', param: 'openBatches' });
    expect(budgetExceeded(usage, { storedBytes: 1, files: 1 }, one).param).toBe('files');
    const uploads = { kind: 'openUploads', id: 'u' } as const;
    expect(budgetExceeded(usage, { opens: uploads }, { ...one, storedBytes: 5 }).param).toBe('storedBytes');
  });
});
