import { describe, expect, test } from '@jest/globals';
import { PER_ERROR, PER_LOSS, PER_MODEL_ERROR, PER_VERSION } from '../../../../core/metrics/dimension-sets.ts';
import { catalogueGroups } from '../../../../lambdas/shared/telemetry/catalogue-groups.ts';
import { type LogLine, type LogTarget, writeLogLine } from '../../../../lambdas/shared/telemetry/log-line.ts';

/** The line that is written, parsed. */
function lineOf(line: Partial<LogLine>, target: Partial<LogTarget> = {}): Record<string, unknown> {
  const lines: string[] = [];
  const base = { stage: 'dev', metricsNamespace: 'Shop', metrics: 'basic', now: () => 1000 } as const;
  writeLogLine(
    { ...base, write: (text) => lines.push(text), ...target },
    { level: 'INFO', message: 'request', members: {}, ...line },
  );
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

const ONE_VERSION: Partial<LogLine> = {
  members: { model: 'words', version: '2' },
  metrics: [{ dimensions: PER_VERSION, counts: { Tokens: 7, BatchSize: undefined }, milliseconds: { Latency: 4 } }],
};

describe('writeLogLine', () => {
  test.each([
    ['a long text', { error: { message: 'x'.repeat(3_000_000) } }],
    ['a long list', { notes: Array.from({ length: 100_000 }, () => ({ message: 'x'.repeat(900) })) }],
    ['many members', Object.fromEntries(Array.from({ length: 9000 }, (_, index) => [`m${index}`, 'text']))],
  ])('keeps a line with %s short, and its metrics', (_, members) => {
    const line = lineOf({
      members: { model: 'words', ...members },
      metrics: [{ dimensions: PER_VERSION, counts: { Tokens: 7 } }],
    });
    expect(JSON.stringify(line).length).toBeLessThanOrEqual(16_000);
    expect(line).toMatchObject({
      isShortened: true,
      level: 'INFO',
      message: 'request',
      stage: 'dev',
      model: 'words',
      Tokens: 7,
    });
  });

  test('writes a log record that is also a metrics document in the namespace of the deployment', () => {
    expect(lineOf(ONE_VERSION)).toEqual({
      _aws: {
        Timestamp: 1000,
        CloudWatchMetrics: [
          {
            Namespace: 'Shop',
            Dimensions: [['stage', 'model']],
            Metrics: [
              { Name: 'Tokens', Unit: 'Count' },
              { Name: 'Latency', Unit: 'Milliseconds' },
            ],
          },
        ],
      },
      level: 'INFO',
      timestamp: '1970-01-01T00:00:01.000Z',
      message: 'request',
      stage: 'dev',
      model: 'words',
      version: '2',
      Tokens: 7,
      Latency: 4,
    });
  });

  test('adds the sets of each version when the deployment measures in detail', () => {
    expect(lineOf(ONE_VERSION, { metrics: 'detailed' })['_aws']).toMatchObject({
      CloudWatchMetrics: [
        {
          Dimensions: [
            ['stage', 'model'],
            ['stage', 'model', 'version'],
          ],
        },
      ],
    });
  });

  test('writes the same values without a metrics document when the deployment measures nothing', () => {
    const { _aws, ...basic } = lineOf(ONE_VERSION);
    expect(_aws).toBeDefined();
    expect(lineOf(ONE_VERSION, { metrics: 'off' })).toEqual(basic);
  });

  test.each([
    [PER_VERSION, { model: 'words' }, [['stage', 'model']]],
    [
      PER_MODEL_ERROR,
      { model: 'words', code: 'TIMEOUT' },
      [
        ['stage', 'model'],
        ['stage', 'model', 'code'],
      ],
    ],
    [PER_LOSS, { code: 'INVALID_BODY' }, [['stage']]],
    [PER_ERROR, { code: 'INVALID_EVENT' }, [['stage'], ['stage', 'code']]],
  ])('leaves out sets with a dimension that the line does not know', (dimensions, members, sets) => {
    const line = lineOf({ members, metrics: [{ dimensions, counts: { Errors: 1 } }] }, { metrics: 'detailed' });
    expect(line['_aws']).toMatchObject({ CloudWatchMetrics: [{ Dimensions: sets }] });
  });

  test('writes no metrics document when there is no value', () => {
    expect(lineOf({ metrics: [] })).not.toHaveProperty('_aws');
    expect(lineOf({ metrics: [{ dimensions: PER_VERSION, counts: { Tokens: undefined } }] })).not.toHaveProperty(
      '_aws',
    );
  });
});

describe('catalogueGroups', () => {
  test('groups values by the dimensions and units of the catalogue', () => {
    expect(catalogueGroups<'serve-model'>({ Latency: 4, Tokens: 7, Errors: 1 })).toEqual([
      { dimensions: PER_VERSION, counts: { Tokens: 7 }, milliseconds: { Latency: 4 } },
      { dimensions: PER_MODEL_ERROR, counts: { Errors: 1 }, milliseconds: {} },
    ]);
  });
});
