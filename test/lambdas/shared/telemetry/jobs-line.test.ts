import { describe, expect, it } from '@jest/globals';
import { jobsLog } from '../../../../lambdas/shared/telemetry/jobs-line.ts';

function lineOf(facts: Parameters<ReturnType<typeof jobsLog>>[0]): Record<string, unknown> {
  const lines: string[] = [];
  jobsLog({
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic',
    now: () => 1000,
    write: (line) => lines.push(line),
  })(facts);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

describe('a line about a job', () => {
  it('counts, and names the job', () => {
    expect(lineOf({ metric: 'JobsSubmitted', model: 'words', details: { jobId: 'evt_1' } })).toEqual({
      _aws: {
        Timestamp: 1000,
        CloudWatchMetrics: [
          {
            Namespace: 'Tensorgate',
            Dimensions: [['stage', 'model']],
            Metrics: [{ Name: 'JobsSubmitted', Unit: 'Count' }],
          },
        ],
      },
      level: 'INFO',
      timestamp: '1970-01-01T00:00:01.000Z',
      message: 'job',
      stage: 'dev',
      model: 'words',
      jobId: 'evt_1',
      JobsSubmitted: 1,
    });
  });

  it('warns when a message moves to the dead letters, and reports why', () => {
    const line = lineOf({ metric: 'DeadLetters', code: 'INVALID_EVENT', error: { message: 'no event' }, details: {} });
    expect(line).toMatchObject({
      level: 'WARN',
      code: 'INVALID_EVENT',
      error: { message: 'no event' },
      DeadLetters: 1,
    });
    expect(line['_aws']).toMatchObject({ CloudWatchMetrics: [{ Dimensions: [['stage']] }] });
  });

  it('is not a metrics document when it counts nothing', () => {
    const line = lineOf({ code: 'UNAVAILABLE', details: { outcome: 'will be retried' } });
    expect(line).not.toHaveProperty('_aws');
    expect(line).toMatchObject({ level: 'WARN', outcome: 'will be retried' });
  });
});
