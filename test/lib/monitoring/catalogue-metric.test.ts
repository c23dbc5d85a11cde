import { describe, expect, test } from '@jest/globals';
import { catalogueMetric } from '../../../lib/monitoring/catalogue-metric.ts';

const BASIC = { stageName: 'prod', metrics: 'basic', metricsNamespace: 'Shop' } as const;
const DETAILED = { ...BASIC, metrics: 'detailed' } as const;

describe('catalogueMetric', () => {
  test('sums counts and averages times, in the namespace and stage of the deployment', () => {
    expect(catalogueMetric('Errors', BASIC, { model: 'words' })).toMatchObject({
      namespace: 'Shop',
      metricName: 'Errors',
      dimensions: { stage: 'prod', model: 'words' },
      statistic: 'Sum',
    });
    expect(catalogueMetric('Latency', BASIC, { model: 'words' }).statistic).toBe('Average');
    expect(catalogueMetric('Latency', BASIC, { model: 'words' }, { statistic: 'p99' }).statistic).toBe('p99');
  });

  test('returns the metric of a version when the deployment measures in detail', () => {
    const { dimensions } = catalogueMetric('Errors', DETAILED, { model: 'words', version: '2' });
    expect(dimensions).toEqual({ stage: 'prod', model: 'words', version: '2' });
  });

  test.each([
    [
      BASIC,
      { model: 'words', version: '2' },
      'Errors is recorded under stage, model with metrics: basic, not under stage, model, version',
    ],
    [
      { ...BASIC, metrics: 'off' },
      { model: 'words' },
      'Errors is recorded under no dimensions with metrics: off, not under stage, model',
    ],
  ] as const)('fails with CONFIG_INVALID for a metric that is not recorded', (stage, labels, message) => {
    expect(() => catalogueMetric('Errors', stage, labels)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message }),
    );
  });
});
