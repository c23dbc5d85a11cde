import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { Job } from '../../../core/jobs/job.ts';
import { batchEvent, deliveryOf, jobEvent } from '../../../core/webhooks/webhook-event.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

const JOB: Job = {
  owner: 'key1',
  id: 'job_1',
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'minilm',
  destinations: {},
  createdAtMs: 0,
  expiresAtMs: 1,
  status: 'succeeded',
  attempts: 1,
  endedAtMs: 5000,
  ranVersion: '1',
  result: { kind: 'inline', json: '{"secret":"result"}' },
};

describe('jobEvent', () => {
  it('contains the address of the result, and not the result', () => {
    const { type, subject, body } = jobEvent({ ...JOB, baseUrl: 'https://api.example.com' });
    expect([type, subject]).toEqual(['job.succeeded', { object: 'job', id: 'job_1' }]);
    expect(JSON.parse(body)).toEqual({
      type: 'job.succeeded',
      timestamp: '1970-01-01T00:00:05.000Z',
      data: {
        id: 'job_1',
        object: 'job',
        status: 'succeeded',
        model: 'minilm',
        version: '1',
        url: 'https://api.example.com/v1/jobs/job_1',
      },
    });
  });

  it('names no URL for a job of a producer, which has none', () => {
    const { body, traceparent } = jobEvent({ ...JOB, traceparent: '00-a-b-01' });
    expect(JSON.parse(body).data.url).toBeNull();
    expect(traceparent).toBe('00-a-b-01');
  });
});

describe('batchEvent', () => {
  it('contains the outcome of the batch', () => {
    const batch = { owner: 'key1', id: 'batch_1', status: 'completed', endpoint: '/v1/embeddings', endedAtMs: 0 };
    expect(JSON.parse(batchEvent({ ...batch, baseUrl: 'https://a.b' }).body)).toMatchObject({
      type: 'batch.completed',
      data: { id: 'batch_1', object: 'batch', url: 'https://a.b/v1/batches/batch_1' },
    });
    expect(JSON.parse(batchEvent(batch).body).data.url).toBeNull();
  });
});

describe('deliveryOf', () => {
  it('has the same id each time it is created, and another for another receiver or outcome', () => {
    const ids = new Set(
      [
        [JOB, 'https://a.example.com/'],
        [JOB, 'https://a.example.com/'],
        [JOB, 'https://b.example.com/'],
        [{ ...JOB, status: 'failed' as const }, 'https://a.example.com/'],
        // A redriven job ends again.
        [{ ...JOB, status: 'failed' as const, endedAtMs: 99 }, 'https://a.example.com/'],
      ].map(([job, url]) => deliveryOf(jobEvent(job as Job), url as string, hash, 1).id),
    );
    expect(ids.size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^dlv_[a-z2-7]{26}$/);
  });

  it('is due immediately', () => {
    expect(deliveryOf(jobEvent({ ...JOB, traceparent: 't' }), 'https://a.b/', hash, 9)).toMatchObject({
      attempt: 0,
      notBeforeMs: 9,
      firstAtMs: 9,
      traceparent: 't',
    });
  });
});
