import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { resultTables } from '../../bench/result-tables.ts';
import { type BenchResults, writeResults } from '../../bench/results.ts';
import { formatBytes, formatFigure, formatRatio, formatSummary, renderTable } from '../../bench/table.ts';

const summary = (median: number) => ({ median, min: median - 1, max: median + 1, count: 3 });

const server = (name: string, side: 'ours' | 'peer', requestsPerSecond: number) => ({
  name,
  side,
  levels: [{ concurrency: 32, requestsPerSecond: summary(requestsPerSecond), p50Ms: summary(5), p99Ms: summary(9) }],
  answers: { meanCosine: 0.9951, minCosine: 0.99 },
  rssMiB: 200,
  pssMiB: 150,
});

const results: BenchResults = {
  format: 1,
  finishedAt: '2026-01-02T03:04:05.678Z',
  commit: 'abc1234567',
  machine: {
    cpu: 'a processor',
    cores: 2,
    memoryGiB: 8,
    platform: 'linux x64',
    node: 'v24.0.0',
    onnxruntime: '1.30.0',
    loadAtStart: 0,
  },
  rounds: 3,
  quick: false,
  load: [server('ours', 'ours', 600.123456789), server('theirs', 'peer', 300)],
};

describe('results of the bench', () => {
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tensorgate-bench-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('are written under date and commit, with six digits', () => {
    const file = writeResults(results, false, directory);
    expect(readdirSync(directory)).toEqual(['2026-01-02-abc1234567.json']);
    const { load, machine } = JSON.parse(readFileSync(file, 'utf8')) as BenchResults;
    expect(machine).toEqual(results.machine);
    expect(load?.[0]?.levels[0]?.requestsPerSecond.median).toBe(600.123);
  });

  it('become the latest only on request', () => {
    writeResults({ ...results, commit: 'abc1234567+' }, true, directory);
    expect(readdirSync(directory)).toEqual(['2026-01-02-abc1234567-changed.json', 'latest.json']);
  });

  it('are not kept if they are of a quick run', () => {
    writeResults({ ...results, quick: true }, false, directory);
    expect(readdirSync(directory)).toEqual(['quick.tmp.json']);
  });

  it('are shown as ratios to each peer', () => {
    const [load, servers, ...others] = resultTables(results);
    expect(others).toEqual([]);
    expect(load?.rows).toEqual([
      ['ours', '600 (599-601)', '-', '5.00 (4.00-6.00)', '9.00 (8.00-10.0)'],
      ['theirs', '300 (299-301)', '2.00x', '5.00 (4.00-6.00)', '9.00 (8.00-10.0)'],
    ]);
    expect(servers?.rows[1]).toEqual(['theirs', '200', '150', '0.9951']);
  });
});

describe('figures of a table', () => {
  it.each([
    { value: 1234.5, expected: '1235' },
    { value: 99.95, expected: '100.0' },
    { value: 2.468, expected: '2.47' },
    { value: 0.0123, expected: '0.012' },
    { value: 0, expected: '0' },
    { value: Number.NaN, expected: '-' },
  ])('show $value as $expected', ({ value, expected }) => {
    expect(formatFigure(value)).toBe(expected);
  });

  it('show ratios, ranges and sizes', () => {
    expect(formatRatio(3, 2)).toBe('1.50x');
    expect(formatRatio(3, undefined)).toBe('-');
    expect(formatSummary(summary(5))).toBe('5.00 (4.00-6.00)');
    expect([formatBytes(32_100), formatBytes(46_300_000)]).toEqual(['32.1 KB', '46.3 MB']);
  });

  it('stand in columns under the title', () => {
    const text = renderTable({ title: 'Speed', columns: ['what', 'ms'], rows: [['run', '1.5']], notes: ['a note'] });
    expect(text.split('\n')[0]).toBe('Speed');
    expect(text.split('\n').slice(1, 4)).toEqual(['what   ms', '----  ---', 'run   1.5']);
    expect(text.endsWith('  a note')).toBe(true);
  });
});
