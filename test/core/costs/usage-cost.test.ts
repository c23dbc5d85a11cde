import { describe, expect, test } from '@jest/globals';
import {
  LOG_BYTES,
  logsUsdPerMillionJobs,
  logsUsdPerMillionRequests,
  metricsMonthlyUsd,
  type PricedRequest,
  requestCosts,
  tracesUsd,
} from '../../../core/costs/usage-cost.ts';
import { METRICS_LEVELS } from '../../../core/functions/metrics-level.ts';
import { writeRunLine } from '../../../lambdas/run-jobs/run-line.ts';
import { writeAccessLine } from '../../../lambdas/shared/telemetry/access-line.ts';
import { jobsLog } from '../../../lambdas/shared/telemetry/jobs-line.ts';
import { writeRequestLine } from '../../../lambdas/shared/telemetry/request-line.ts';
import { startMeasures } from '../../../lambdas/shared/telemetry/request-measures.ts';
import { ACCESS_LOG_FIELDS } from '../../../lib/api/access-log.ts';
import { gatewayEvent } from '../../lambdas/events.ts';

describe('metricsMonthlyUsd', () => {
  test('is 30 cents for each custom metric', () => {
    expect(metricsMonthlyUsd(0)).toBe(0);
    expect(metricsMonthlyUsd(10)).toBeCloseTo(3, 6);
  });
});

describe('logsUsdPerMillionRequests', () => {
  test('is the size of four lines, each with 26 bytes more, at 50 cents a gigabyte', () => {
    const bytes = 355 + 850 + 200 + 240 + 4 * 26;
    expect(logsUsdPerMillionRequests({ metrics: 'basic', systemLogLevel: 'INFO' })).toBeCloseTo(bytes * 0.0005, 6);
  });

  test('leaves out the lines of AWS Lambda with systemLogLevel: WARN', () => {
    const bytes = 355 + 450 + 2 * 26;
    expect(logsUsdPerMillionRequests({ metrics: 'off', systemLogLevel: 'WARN' })).toBeCloseTo(bytes * 0.0005, 6);
  });

  test.each(METRICS_LEVELS)('estimates the size of a request line with metrics: %s within a twentieth', (metrics) => {
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
    expectWithinTwentieth(bytes, LOG_BYTES.request[metrics]);
  });

  test('estimates the size of a line of the access log within a twentieth', () => {
    const values: Readonly<Record<keyof typeof ACCESS_LOG_FIELDS, string>> = {
      requestId: '3f2b1c9e-7f61-4c43-9a55-0f2a6a3c9d11',
      time: '28/Nov/2026:07:29:06 +0000',
      ip: '203.0.113.17',
      apiKeyId: '1a2b3c4d5e',
      method: 'POST',
      route: '/v1/embeddings',
      protocol: 'HTTP/1.1',
      status: '200',
      refusedAs: '-',
      responseBytes: '8312',
      latencyMs: '14',
      integrationLatencyMs: '11',
      integrationStatus: '200',
      authorizerStatus: '200',
    };
    expect(Object.keys(values)).toEqual(Object.keys(ACCESS_LOG_FIELDS));
    expectWithinTwentieth(Buffer.byteLength(JSON.stringify(values)), LOG_BYTES.access);
  });
});

describe('logsUsdPerMillionJobs', () => {
  test('is the size of five lines and of what AWS Lambda writes about two invocations', () => {
    const bytes = 355 + 272 + 337 + 695 + 2 * (200 + 240) + 8 * 26;
    expect(logsUsdPerMillionJobs({ metrics: 'basic', systemLogLevel: 'INFO' })).toBeCloseTo(bytes * 0.0005, 6);
  });

  test.each(METRICS_LEVELS)(
    'estimates the size of the lines of a job with metrics: %s within a twentieth',
    (metrics) => {
      const sizes: number[] = [];
      const target = {
        stage: 'prod',
        metricsNamespace: 'Tensorgate',
        metrics,
        now: () => 1_764_280_000_000,
        write: (line: string) => sizes.push(Buffer.byteLength(line)),
      };
      const event = gatewayEvent('/v1/jobs/{proxy+}', { httpMethod: 'PUT' });
      const gatewayRequestId = '3f2b1c9e-7f61-4c43-9a55-0f2a6a3c9d11';
      const awsRequestId = '8d1f7a52-3f0e-4a7c-8a5e-5a0c7f6f2b10';
      writeAccessLine(
        target,
        {
          event: { ...event, requestContext: { ...event.requestContext, requestId: gatewayRequestId } },
          awsRequestId,
          status: 202,
          error: undefined,
          latencyMs: 21.412,
        },
        [],
      );
      const jobId = '0199b3c2-7f61-7c43-9a55-0f2a6a3c9d11';
      jobsLog<'serve-jobs'>(target)({ metric: 'JobsSubmitted', model: 'minilm', details: { jobId } });
      writeRunLine(target, {
        awsRequestId,
        model: 'minilm',
        durationMs: 55.312,
        isCold: false,
        messages: 1,
        retried: 0,
        measures: { items: 1, tokens: 63, cacheHits: 0, cacheMisses: 1, modelMs: 6.741 },
        cacheFailures: 0,
        errors: new Map(),
        ended: new Map([['succeeded', 1]]),
        lines: { completed: 0, failed: 0 },
      });
      const { submission, job, worker } = LOG_BYTES;
      for (const [index, expected] of [submission, job, worker].entries()) {
        expectWithinTwentieth(sizes[index] ?? 0, expected[metrics]);
      }
    },
  );
});

describe('tracesUsd', () => {
  test('is five dollars a million, for one each second and a twentieth of the others', () => {
    expect(tracesUsd().perMonth).toBeCloseTo(13.14, 6);
    expect(tracesUsd().perMillionRequests).toBeCloseTo(0.25, 6);
  });
});

describe('requestCosts', () => {
  const request: PricedRequest = {
    memoryMiB: 1769,
    architecture: 'x86_64',
    computeMs: 10,
    isProvisioned: false,
    itemBytes: 1700,
    authorizer: { memoryMiB: 512, architecture: 'arm64' },
    metrics: 'basic',
    systemLogLevel: 'INFO',
  };
  const costOf = (changes: Partial<PricedRequest>) =>
    Object.fromEntries(requestCosts({ ...request, ...changes }).map(({ what, usd }) => [what, Number(usd.toFixed(2))]));

  test('is the whole price of a million requests, part by part', () => {
    expect(costOf({})).toEqual({
      'API Gateway': 3.5,
      authorizer: 0.21,
      Lambda: 0.6,
      'results table': 1.31,
      logs: 0.87,
    });
  });

  test('omits services that a deployment does not use', () => {
    expect(costOf({ itemBytes: undefined, authorizer: undefined })).toEqual({
      'API Gateway': 3.5,
      Lambda: 0.49,
      logs: 0.87,
    });
  });

  test('charges less for the time of provisioned environments', () => {
    expect(costOf({ isProvisioned: true, itemBytes: undefined })).toMatchObject({ Lambda: 0.37 });
  });
});

function expectWithinTwentieth(bytes: number, expected: number): void {
  expect(Math.abs(bytes - expected) / expected).toBeLessThan(0.05);
}
