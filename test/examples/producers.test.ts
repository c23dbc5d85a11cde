import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseJobEvent } from '../../core/jobs/cloud-event.ts';
import type { Job } from '../../core/jobs/job.ts';
import { jobCloudEvent } from '../../core/jobs/job-cloud-event.ts';
import { type QueuesAndBuckets, startQueuesAndBuckets } from '../lambdas/shared/jobs/job-servers.ts';

let servers: QueuesAndBuckets;
let jobsUrl: string;
let resultsUrl: string;

beforeAll(async () => {
  servers = await startQueuesAndBuckets();
  jobsUrl = await servers.createQueue('jobs');
  resultsUrl = await servers.createQueue('results', { VisibilityTimeout: '0' });
});

afterAll(() => servers.close());

/** Runs an example as its README says. */
async function run(file: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [`examples/producers/${file}`, ...args], {
    env: {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: servers.url,
      ...env,
    },
    timeout: 60_000,
  });
  return stdout;
}

const JOB: Job = {
  owner: 'key1',
  id: 'evt_1',
  hash: 'h',
  endpoint: '/v1/embeddings',
  model: 'words',
  status: 'succeeded',
  createdAtMs: 1000,
  endedAtMs: 2000,
  expiresAtMs: 9000,
  attempts: 1,
  items: 1,
  ranVersion: '1',
  destinations: { replyQueue: 'results' },
  via: 'producer',
  result: { kind: 'inline', json: '{"object":"list"}' },
};

describe('the examples of producers', () => {
  it('send an event that the jobs queue accepts', async () => {
    const env = { QUEUE_URL: jobsUrl, TENANT: 'key1', REPLY_QUEUE: 'results' };
    expect(await run('send-job.ts', ['say "hello"', 'order-7'], env)).toBe('sent event order-7\n');
    const [message] = await servers.receive(jobsUrl);
    expect(parseJobEvent(JSON.parse(message?.Body ?? ''))).toEqual({
      id: 'order-7',
      source: '/examples/send-job',
      tenant: 'key1',
      request: { endpoint: '/v1/embeddings', body: { input: ['say "hello"'] }, reply_queue: 'results' },
    });
  });

  it('read results and failures of producers only, each once however often it comes', async () => {
    const failed: Job = { ...JOB, id: 'evt_2', status: 'failed', error: { code: 'TIMEOUT', message: 'too long' } };
    const options = { stage: 'dev', maxResultBytes: 1000 };
    const { result, ...withoutResult } = failed;
    const forged = jobCloudEvent({ ...JOB, id: 'evt_3', via: 'http' }, options);
    const { via, ...old } = JOB;
    const unknown = jobCloudEvent({ ...old, id: 'evt_4' }, options);
    const own = [jobCloudEvent(JOB, options), jobCloudEvent(JOB, options), jobCloudEvent(withoutResult, options)];
    const events = [forged, unknown, ...own];
    for (const event of events) {
      await servers.sqs.send(new SendMessageCommand({ QueueUrl: resultsUrl, MessageBody: event }));
    }
    const lines = (await run('receive-results.ts', ['2'], { QUEUE_URL: resultsUrl })).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { job: 'evt_1', status: 'succeeded', result: { object: 'list' } },
      { job: 'evt_2', status: 'failed', error: { code: 'TIMEOUT' } },
    ]);
    expect(await servers.receive(resultsUrl)).toEqual([]);
  });
});
