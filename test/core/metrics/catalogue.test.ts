import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { METRICS, type MetricDefinition, type MetricName } from '../../../core/metrics/catalogue.ts';
import type { Dimension } from '../../../core/metrics/dimension-sets.ts';

const ROOT = join(import.meta.dirname, '../../..');
const NAMES = Object.keys(METRICS) as MetricName[];

function definitionOf(name: MetricName): MetricDefinition {
  return METRICS[name];
}

function listOf(sets: readonly (readonly Dimension[])[]): string {
  return sets.map((set) => `\`${set.join(', ')}\``).join('; ');
}

/** The row of a metric in the table of docs/observability.md. */
function rowOf(name: MetricName): string {
  const { unit, dimensions, emittedBy, meaning } = definitionOf(name);
  const detailed = dimensions.detailed.length === 0 ? '' : listOf(dimensions.detailed);
  const functions = emittedBy.map((one) => `\`${one}\``).join(', ');
  return `| \`${name}\` | ${unit} | ${listOf(dimensions.basic)} | ${detailed} | ${functions} | ${meaning} |`.replace(
    '|  |',
    '| |',
  );
}

describe('the catalogue of metrics', () => {
  test('is the table of docs/observability.md, row for row', () => {
    const docs = readFileSync(join(ROOT, 'docs/observability.md'), 'utf8').split('\n');
    const head = docs.indexOf('| metric | unit | dimensions | also with `detailed` | function | meaning |');
    const rows = docs.slice(head + 2, docs.indexOf('', head));
    expect(rows).toEqual(NAMES.map(rowOf));
  });

  test.each(NAMES)('%s is recorded by the functions that it names', (name) => {
    for (const emitter of definitionOf(name).emittedBy) {
      const files = globSync([`lambdas/${emitter}/**/*.ts`, 'lambdas/shared/telemetry/*.ts'], { cwd: ROOT });
      const sources = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
      expect(sources).toMatch(new RegExp(`\\b${name}\\b`));
    }
  });

  test('records every metric per stage or per model at least, and nothing without the stage', () => {
    for (const name of NAMES) {
      const { basic, detailed } = definitionOf(name).dimensions;
      expect(basic.length).toBeGreaterThan(0);
      for (const set of [...basic, ...detailed]) expect(set[0]).toBe('stage');
      for (const set of basic) expect(set).not.toEqual(expect.arrayContaining(['version']));
    }
  });
});
