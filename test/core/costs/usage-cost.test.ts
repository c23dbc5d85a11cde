import { describe, expect, test } from '@jest/globals';
import { LOG_BYTES_PER_REQUEST, logsUsdPerMillionRequests, metricsMonthlyUsd } from '../../../core/costs/usage-cost.ts';
import { METRICS_LEVELS } from '../../../core/functions/metrics-level.ts';
import { writeRequestLine } from '../../../lambdas/shared/telemetry/request-line.ts';
import { startMeasures } from '../../../lambdas/shared/telemetry/request-measures.ts';
import { gatewayEvent } from '../../lambdas/events.ts';

describe('metricsMonthlyUsd', () => {
  test('is 30 cents for each custom metric', () => {
    expect(metricsMonthlyUsd(0)).toBe(0);
    expect(metricsMonthlyUsd(10)).toBeCloseTo(3, 6);
  });
});

describe('logsUsdPerMillionRequests', () => {
  test('is the size of the lines at 50 cents a gigabyte', () => {
    expect(logsUsdPerMillionRequests('basic')).toBeCloseTo(0.85, 6);
  });

  test.each(METRICS_LEVELS)('knows the size of a request line with metrics: %s within a twentieth', (metrics) => {
    const lines: string[] = [];
    const target = { stage: 'prod', metricsNamespace: 'Tensorgate', metrics, now: () => 1_764_280_000_000 };
    const event = gatewayEvent('/v1/embeddings');
    const gatewayRequestId = '3f2b1c9e-7f61-4c43-9a55-0f2a6a3c9d11';
    writeRequestLine(
      { ...target, write: (line) => lines.push(line) },
      {
        event: { ...event, requestContext: { ...event.requestContext, requestId: gatewayRequestId } },
        awsRequestId: '8d1f7a52-3f0e-4a7c-8a5e-5a0c7f6f2b10',
        status: 200,
        error: undefined,
        latencyMs: 7.412,
        model: 'minilm',
        isCold: false,
        failures: [],
        measures: {
          ...startMeasures(0),
          version: '1',
          items: 1,
          tokens: 63,
          cache: 'MISS',
          misses: 1,
          tokenizeMs: 0.173,
          cacheMs: 3.221,
          modelMs: 6.741,
        },
      },
    );
    const bytes = Buffer.byteLength(lines[0] ?? '');
    const expected = LOG_BYTES_PER_REQUEST.own[metrics];
    expect(Math.abs(bytes - expected) / expected).toBeLessThan(0.05);
  });
});
