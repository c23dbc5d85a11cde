import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { MAX_WAIT_SECONDS } from '../../core/api/prefer.ts';
import { ERRORS } from '../../core/errors.ts';
import type { Job } from '../../core/jobs/job.ts';
import { jobRequestSchema } from '../../core/jobs/job-request.ts';
import { renderJob } from '../../core/jobs/job-resource.ts';
import { RETRY_SECONDS } from '../../core/webhooks/schedule.ts';
import { MAX_SUBSCRIPTIONS } from '../../core/webhooks/subscription.ts';
import { WEBHOOK_EVENTS } from '../../core/webhooks/webhook-event.ts';

const JOBS = readFileSync('docs/jobs.md', 'utf8');
const WEBHOOKS = readFileSync('docs/webhooks.md', 'utf8');

const JOB: Job = {
  owner: 'k',
  id: 'j',
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'm',
  status: 'succeeded',
  attempts: 1,
  createdAtMs: 0,
  expiresAtMs: 0,
  result: { kind: 'inline', json: '{}' },
  destinations: { webhookUrl: 'https://a.b/', replyQueue: 'r', eventBus: true },
};

describe('the guide of jobs', () => {
  it('names every member of a request and of a job', () => {
    for (const member of Object.keys(jobRequestSchema.pipe[0].entries)) expect(JOBS).toContain(`\`${member}\``);
    const shown = { ...JSON.parse(renderJob(JOB, { baseUrl: '' })), result_url: '', result_bytes: 0, error: '' };
    for (const member of Object.keys(shown)) expect(JOBS).toContain(`\`${member}\``);
  });

  it('names existing codes with their statuses', () => {
    for (const [, status, code] of `${JOBS}${WEBHOOKS}`.matchAll(/\b([45]\d\d)\s+`([A-Z_]+)`/g)) {
      expect(ERRORS).toHaveProperty(code ?? '');
      expect(ERRORS[code as keyof typeof ERRORS].status).toBe(Number(status));
    }
  });

  it('names the longest wait', () => {
    expect(JOBS).toContain(`(maximum ${MAX_WAIT_SECONDS})`);
  });
});

describe('the guide of webhooks', () => {
  it('names every event', () => {
    for (const event of WEBHOOK_EVENTS) expect(WEBHOOKS).toContain(`\`${event}\``);
  });

  it('names the schedule and the limits', () => {
    const schedule = /again after (.*?)\. Each/.exec(WEBHOOKS)?.[1]?.split(/, | and /);
    const units: Record<string, number> = { s: 1, min: 60, h: 3600 };
    expect(schedule?.map((pause) => Number(pause.split(' ')[0]) * (units[pause.split(' ')[1] ?? ''] ?? 0))).toEqual(
      RETRY_SECONDS,
    );
    expect(MAX_SUBSCRIPTIONS).toBe(20);
  });
});
