import { describe, expect, it } from '@jest/globals';
import { isFinal, type Job } from '../../../core/jobs/job.ts';
import { jobCloudEvent } from '../../../core/jobs/job-cloud-event.ts';
import { renderJob, renderJobList, retryAfterSeconds } from '../../../core/jobs/job-resource.ts';

const BASE = 'https://api.example.com/dev';

const QUEUED: Job = {
  owner: 'key1',
  id: 'job_1',
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'minilm',
  destinations: {},
  createdAtMs: 0,
  expiresAtMs: 86_400_000,
  status: 'queued',
  attempts: 0,
};

const SUCCEEDED: Job = {
  ...QUEUED,
  status: 'succeeded',
  attempts: 1,
  startedAtMs: 1000,
  endedAtMs: 2000,
  ranVersion: '2',
  items: 3,
  result: { kind: 'inline', json: '{"id":12345678901234567890}' },
};

const render = (job: Job, resultUrl?: string): Record<string, unknown> =>
  JSON.parse(renderJob(job, { baseUrl: BASE, ...(resultUrl === undefined ? {} : { resultUrl }) })) as Record<
    string,
    unknown
  >;

describe('renderJob', () => {
  it('shows a job that waits', () => {
    expect(render({ ...QUEUED, version: '1' })).toEqual({
      id: 'job_1',
      object: 'job',
      status: 'queued',
      endpoint: '/v1/embeddings',
      model: 'minilm',
      version: '1',
      created_at: '1970-01-01T00:00:00.000Z',
      started_at: null,
      ended_at: null,
      attempts: 0,
      expires_at: null,
      progress: { completed: 0, total: null },
      links: {
        self: `${BASE}/v1/jobs/job_1`,
        cancel: `${BASE}/v1/jobs/job_1/cancel`,
        deliveries: `${BASE}/v1/jobs/job_1/deliveries`,
      },
    });
  });

  it('shows until when a completed job is kept', () => {
    expect(render(SUCCEEDED)['expires_at']).toBe('1970-01-02T00:00:00.000Z');
  });

  it('keeps every digit of a result', () => {
    expect(renderJob(SUCCEEDED, { baseUrl: BASE })).toContain('"result":{"id":12345678901234567890},');
    expect(render(SUCCEEDED)).toMatchObject({ version: '2', progress: { completed: 3, total: 3 } });
  });

  it('shows where a large result is', () => {
    const job: Job = { ...SUCCEEDED, result: { kind: 'payload', payload: { bucket: 'b', key: 'k' }, bytes: 99 } };
    expect(render(job, 'https://s3/x')).toMatchObject({ result_url: 'https://s3/x', result_bytes: 99 });
  });

  it('shows a result that is not JSON as base64 with its media type', () => {
    const mediaType = 'application/octet-stream';
    const inline: Job = { ...SUCCEEDED, result: { kind: 'inline', mediaType, base64: 'AP8=' } };
    expect(render(inline)).toMatchObject({ result_media_type: mediaType, result_base64: 'AP8=' });
    expect(render(inline)).not.toHaveProperty('result');
    const stored = { kind: 'payload', payload: { bucket: 'b', key: 'k' }, bytes: 99, mediaType } as const;
    expect(render({ ...SUCCEEDED, result: stored }, 'https://s3/x')).toMatchObject({
      ...{ result_url: 'https://s3/x', result_bytes: 99, result_media_type: mediaType },
    });
  });

  it('shows why a job failed and which destinations are notified', () => {
    const job: Job = {
      ...QUEUED,
      status: 'failed',
      error: { code: 'INPUT_EMPTY', message: 'input is empty', param: 'input' },
      destinations: { webhookUrl: 'https://a.b/', replyQueue: 'results', eventBus: true },
    };
    expect(render(job)).toMatchObject({
      ...{ webhook_url: 'https://a.b/', reply_queue: 'results', event_bus: true },
      error: { code: 'INPUT_EMPTY', status: 400, detail: 'input is empty', param: 'input' },
    });
  });
});

describe('renderJobList', () => {
  it('reports whether more jobs exist', () => {
    expect(JSON.parse(renderJobList([QUEUED], BASE, 'next'))).toMatchObject({
      object: 'list',
      data: [{ id: 'job_1' }],
      has_more: true,
      next_after: 'next',
    });
    expect(JSON.parse(renderJobList([], BASE, undefined))).toEqual({ object: 'list', data: [], has_more: false });
  });
});

describe('retryAfterSeconds', () => {
  it.each([
    [0, 1],
    [8000, 2],
    [-5000, 1],
    [3_600_000, 30],
  ])('returns, for a job that is %d ms old, %d', (ageMs, seconds) => {
    expect(retryAfterSeconds(QUEUED, ageMs)).toBe(seconds);
  });

  it('returns nothing once the job has ended', () => {
    expect(retryAfterSeconds(SUCCEEDED, 0)).toBeUndefined();
    expect([isFinal('canceled'), isFinal('failed'), isFinal('running')]).toEqual([true, true, false]);
  });
});

describe('jobCloudEvent', () => {
  const event = (job: Job, options: object = {}): Record<string, unknown> =>
    JSON.parse(jobCloudEvent(job, { stage: 'dev', maxResultBytes: 100, ...options })) as Record<string, unknown>;

  it('is a CloudEvent whose data is the job', () => {
    expect(event({ ...SUCCEEDED, traceparent: '00-t' })).toMatchObject({
      specversion: '1.0',
      source: '/tensorgate/dev/jobs',
      type: 'tensorgate.job.succeeded.v1',
      subject: 'job_1',
      time: '1970-01-01T00:00:02.000Z',
      tenant: 'key1',
      apikeyid: 'key1',
      traceparent: '00-t',
      data: { id: 'job_1', result: expect.anything() },
    });
    expect(event({ ...QUEUED, owner: 'producers', status: 'canceled' })).not.toHaveProperty('tenant');
  });

  it('omits a result that is too large, and shows its URL if it has one', () => {
    const payload = { kind: 'payload', payload: { bucket: 'b', key: 'k' }, bytes: 999 } as const;
    expect(event(SUCCEEDED, { maxResultBytes: 5 })['data']).not.toHaveProperty('result');
    expect(event({ ...SUCCEEDED, result: payload }, { result: { json: '{"a":1}' } })['data']).toHaveProperty('result', {
      a: 1,
    });
    const bytes = { mediaType: 'image/png', base64: 'AP8=' };
    expect(event({ ...SUCCEEDED, result: payload }, { result: bytes })['data']).toMatchObject({
      result_media_type: 'image/png',
      result_base64: 'AP8=',
    });
    expect(event({ ...SUCCEEDED, result: payload }, { result: bytes, maxResultBytes: 3 })['data']).not.toHaveProperty(
      'result_base64',
    );
    expect(event({ ...SUCCEEDED, result: payload }, { resultUrl: 'https://s3/x' })['data']).toMatchObject({
      ...{ result_url: 'https://s3/x', result_bytes: 999 },
    });
  });
});
