import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS } from '../../core/errors.ts';
import { jobEventSchema, parseJobEvent } from '../../core/jobs/cloud-event.ts';
import { DEAD_LETTER_ATTRIBUTES } from '../../core/jobs/dead-letter.ts';
import { type Job, PRODUCERS } from '../../core/jobs/job.ts';
import { jobCloudEvent } from '../../core/jobs/job-cloud-event.ts';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { jobRequestSchema } from '../../core/jobs/job-request.ts';
import { jobEvent } from '../../core/webhooks/webhook-event.ts';
import { sha256 } from '../../lambdas/shared/sha256.ts';

const GUIDE = readFileSync('docs/sqs-producers.md', 'utf8');

const DAY_MS = 86_400_000;

/** The blocks of code in a language, as text. */
function blocks(language: string): string[] {
  return [...GUIDE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);
}

/** Returns the code spans in the first column of the guide's tables. */
function firstColumn(): string[] {
  const cells = [...GUIDE.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));
}

let event: ReturnType<typeof parseJobEvent>;
let job: Job;

beforeAll(() => {
  event = parseJobEvent(JSON.parse(blocks('json')[0] ?? ''));
  const endedAtMs = Date.parse('2026-11-24T04:05:07.250Z');
  job = {
    owner: PRODUCERS,
    id: jobIdOfEvent(sha256, event.source, event.id),
    hash: 'h',
    status: 'succeeded',
    endpoint: event.request.endpoint,
    model: 'minilm',
    ranVersion: '1',
    attempts: 1,
    items: 1,
    createdAtMs: endedAtMs - 1150,
    startedAtMs: endedAtMs - 350,
    endedAtMs,
    expiresAtMs: endedAtMs + 7 * DAY_MS,
    destinations: { replyQueue: 'results' },
    via: 'producer',
    result: { kind: 'inline', json: '{"object":"list","data":[]}' },
  };
});

describe('the guide for producers', () => {
  it('shows an event that the queue accepts', () => {
    expect(event).toMatchObject({ source: '/shop/search', request: { reply_queue: 'results' } });
  });

  it('shows the reply to it as it is sent', () => {
    const reply = blocks('json').find((text) => text.includes('tensorgate.job.succeeded.v1'));
    expect(JSON.parse(reply ?? '')).toEqual(JSON.parse(jobCloudEvent(job, { stage: 'prod', maxResultBytes: 1000 })));
  });

  it('shows the webhook as it is sent', () => {
    const webhook = blocks('json').find((text) => text.includes('"job.succeeded"'));
    expect(JSON.parse(webhook ?? '')).toEqual(JSON.parse(jobEvent(job).body));
  });

  it('computes ids of jobs as the deployment does', async () => {
    const [code = ''] = blocks('ts');
    const url = `data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(code))}`;
    const guide = (await import(url)) as { jobIdOfEvent(source: string, id: string): string };
    for (const id of ['order-4711', 'ä "quoted" \\ id', '1']) {
      expect(guide.jobIdOfEvent('/shop', id)).toBe(jobIdOfEvent(sha256, '/shop', id));
    }
  });

  it('describes every attribute, every member and every mark of a dead letter', () => {
    const described = firstColumn();
    const attributes = Object.keys(jobEventSchema.entries);
    const members = Object.keys(jobRequestSchema.pipe[0].entries);
    expect(described).toEqual(expect.arrayContaining([...attributes, ...members]));
    expect(described).toEqual(expect.arrayContaining(Object.values(DEAD_LETTER_ATTRIBUTES)));
  });

  it('names codes that exist', () => {
    const codes = firstColumn().filter((word) => /^[A-Z_]+$/.test(word));
    expect(codes.length).toBeGreaterThan(10);
    expect(Object.keys(ERRORS)).toEqual(expect.arrayContaining(codes));
  });
});
