import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { synthesizeApp } from '../app/running-app.ts';
import { WebhookReceiver } from '../app/webhook-receiver.ts';

const DAY_MS = 86_400_000;

let assembly: string;
let directory: string;
let stack: LocalStack;

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-down-'));
  stack = await startLocal({
    assembly,
    directory,
    port: 0,
    maxEnvironments: 2,
    initLimitMs: 120_000,
    allowLoopbackWebhooks: true,
  });
});

afterAll(async () => {
  await stack?.stop();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers: { 'x-api-key': stack.description.apiKeys.at(-1)?.value ?? '', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

/** Moves time to what is due next, and on, until a time has come or something has happened. */
async function passTime(untilMs: number, hasHappened: () => boolean): Promise<void> {
  while (stack.now() < untilMs && !hasHappened()) {
    await pause(20);
    const depths = [...stack.queues.depths().values()];
    if (stack.isBusy() || depths.some(({ waiting }) => waiting > 0)) continue;
    const dueMs = stack.queues.nextDueMs() ?? untilMs;
    await stack.advance(Math.max(1000, Math.min(dueMs, untilMs) - stack.now()));
  }
}

interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly attempts: readonly { readonly status: number | null; readonly error: string | null }[];
}

describe('a webhook receiver', () => {
  it('gets its event after it was down for a day, and delays no other receiver meanwhile', async () => {
    const { secrets } = await call<{ secrets: readonly { secret: string }[] }>('GET', '/v1/webhooks/secret');
    const [down, up] = [
      new WebhookReceiver(undefined, () => stack.now()),
      new WebhookReceiver(undefined, () => stack.now()),
    ];
    for (const receiver of [down, up]) receiver.trust(secrets[0]?.secret ?? '');
    const downUrl = await down.listen();
    await down.close();
    await call('POST', '/v1/webhooks', { url: await up.listen() });
    const startedMs = stack.now();
    const body = { model: 'minilm', input: 'The parcel arrived this morning.' };
    await call('PUT', '/v1/jobs/patient', { endpoint: '/v1/embeddings', body, webhook_url: downUrl });
    await passTime(startedMs + DAY_MS, () => false);
    expect(up.events.map(({ body: event }) => event.data['id'])).toEqual(['patient']);
    const before = await call<{ data: readonly Delivery[] }>('GET', '/v1/jobs/patient/deliveries');
    const failing = before.data.find(({ status }) => status === 'pending');
    expect(failing?.attempts.length).toBeGreaterThan(3);
    expect(failing?.attempts[0]?.error).toContain('cannot be reached');

    const again = new WebhookReceiver(undefined, () => stack.now());
    again.trust(secrets[0]?.secret ?? '');
    await again.listen(Number(new URL(downUrl).port));
    await passTime(stack.now() + 2 * DAY_MS, () => again.events.length > 0);
    expect(again.events.map(({ id, body: event }) => [id, event.type])).toEqual([[failing?.id, 'job.succeeded']]);
    expect(again.refused).toBe(0);
    await passTime(stack.now() + 60_000, () => false);
    const after = await call<{ data: readonly Delivery[] }>('GET', '/v1/jobs/patient/deliveries');
    expect(after.data.map(({ status }) => status)).toEqual(['delivered', 'delivered']);

    const redelivered = await call<Delivery>('POST', `/v1/jobs/patient/deliveries/${failing?.id}/redeliver`);
    expect(redelivered.status).toBe('pending');
    await passTime(stack.now() + DAY_MS, () => again.events.length > 1);
    expect(again.events[1]?.id).toBe(failing?.id);
    await Promise.all([up.close(), again.close()]);
  });
});
