import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runSweep } from '../../cli/run-sweep.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { queueUrl } from '../../local/template/physical-names.ts';
import { synthesizeApp } from './running-app.ts';

const MINUTE_MS = 60_000;

let assembly: string;
let directory: string;
let stack: LocalStack;
let isDown = true;

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-'));
  // The worker gets no response of any service, so that messages wait in the queue.
  const onCall = ({ functionName, action }: { readonly functionName: string; readonly action: string }) =>
    isDown && /runjobs/i.test(functionName) && !action.startsWith('sqs:') ? 'fail' : undefined;
  stack = await startLocal({ assembly, directory, port: 0, maxEnvironments: 2, faults: { onCall } });
});

afterAll(async () => {
  await stack?.stop();
  for (const folder of [assembly, directory]) await rm(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: object) {
  const key = stack.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
  const headers = { 'x-api-key': key, 'content-type': 'application/json' };
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  return (await response.json()) as { readonly status: string; readonly error?: { readonly code: string } };
}

/** Waits until nothing is under way. */
async function settled(): Promise<void> {
  do await pause(50);
  while (stack.isBusy());
}

/** Deletes the messages of every queue of a model, as an operator could. */
async function purge(): Promise<void> {
  for (const name of stack.queues.depths().keys()) {
    if (!/jobsminilm|chunksminilm/i.test(name)) continue;
    await stack.queues.call('PurgeQueue', { QueueUrl: queueUrl(name) });
  }
}

it('jobs whose messages were purged fail with the reason, and the command reports them', async () => {
  await call('PUT', '/v1/jobs/stranded', { endpoint: '/v1/embeddings', body: { model: 'minilm', input: 'a' } });
  await settled();
  await purge();
  isDown = false;
  await stack.advance(61 * MINUTE_MS);
  await settled();
  expect(await call('GET', '/v1/jobs/stranded')).toMatchObject({ status: expect.stringMatching(/queued|running/) });
  await stack.advance(4 * MINUTE_MS);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_LAMBDA: stack.endpointUrl,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  });
  const report = await runSweep({ function: stack.description.functions['sweep-records'] ?? '' });
  expect(report).toMatchObject({ settled: { 'job failed': 1 }, records: [{ id: 'stranded', action: 'failed' }] });
  expect(await call('GET', '/v1/jobs/stranded')).toMatchObject({ status: 'failed', error: { code: 'MESSAGE_LOST' } });
});
