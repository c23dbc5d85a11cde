import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MAX_LINE_BYTES } from '../../core/batches/batch.ts';
import type { TimedActivity } from '../../local/activity/activity.ts';
import type { ObservedPermission } from '../../local/aws/faults.ts';
import { compilePolicies } from '../../local/iam/policy.ts';
import { synthesizeApp } from '../app/running-app.ts';
import { HeldDeliveries } from '../reliability/held-deliveries.ts';
import { Product } from '../reliability/product.ts';

const HOUR_MS = 3_600_000;
const ENDPOINT = '/v1/embeddings';

/** So many texts that the body of their request is stored in S3, and so is the result. */
const LARGE = {
  model: 'minilm',
  input: Array.from({ length: 40 }, (_, index) => `${index} ${'parcel '.repeat(800)}`),
  truncate: true,
};
const SMALL = { model: 'minilm', input: 'a parcel' };

/** Grants that no quick workload reaches: what needs them, and where a test does it. */
const NOT_REACHED: readonly (readonly [grant: RegExp, reason: string])[] = [
  [/^Jobs\w+faillostjobs /, 'messages that exceed maxReceiveCount: test/lambdas/fail-lost-jobs, test/reliability'],
  [/^Jobs\w+sweeprecords /, 'records whose messages are gone: test/lambdas/sweep-records, test/reliability'],
  [/ s3:GetObject .*\/jobs\/\*$/, 'results of an earlier release, which lie there: test/lambdas/shared/jobs'],
  [/ s3:AbortMultipartUpload /, 'an assembly that fails or is repeated: test/lambdas/shared/files, test/core/files'],
  [
    /^\w+processbatches s3:DeleteObject .*\/files\/\*$/,
    'parts that are not what was declared: test/lambdas/process-batches',
  ],
  [/^\w+runjobs\w+ dynamodb:BatchGetItem .*JobsTable$/, 'several redelivered jobs in one batch: test/lambdas/run-jobs'],
  [
    /^\w+runjobs\w+ dynamodb:DeleteItem .*JobsTable$/,
    'a record that expired before its message: test/lambdas/shared/jobs',
  ],
  [
    /^\w+runjobs\w+ s3:GetObject .*\/chunks\/\*$/,
    'a chunk whose worker crashed: test/lambdas/run-jobs, test/reliability',
  ],
  [/^\w+runjobs\w+ s3:ListBucket /, 'an input that is absent, which is 403 otherwise: test/lambdas/shared/jobs'],
  [
    /^\w+runjobs\w+ sqs:SendMessage .*(?:jobs|chunks)minilm$/,
    'work that goes back to its queue: test/reliability/outages',
  ],
];

let assembly: string;
let directory: string;
let product: Product;
let receiver: Server;
/** Each permission that was used. */
const used = new Map<string, ObservedPermission>();
const denied: TimedActivity[] = [];
const held = new HeldDeliveries();

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-permissions-'));
  const called = new Set<string>();
  receiver = createServer((request, response) => {
    const isFirst = !called.has(request.url ?? '');
    called.add(request.url ?? '');
    const status = request.url === '/gone' ? 410 : request.url === '/recovers' && isFirst ? 500 : 204;
    request.resume().on('end', () => response.writeHead(status).end());
  }).listen(0, '127.0.0.1');
  product = await Product.start({
    assembly,
    directory,
    onActivity: (activity) => {
      if (activity.type === 'call.denied') denied.push(activity);
    },
    faults: {
      onPermission: (permission) => void used.set(Object.values(permission).join(' '), permission),
      onDelivery: (delivery) => held.faultOf(delivery),
    },
  });
  await work();
}, 240_000);

afterAll(async () => {
  await product?.[Symbol.asyncDispose]();
  receiver?.close();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

/** Uses everything that the product does. */
async function work(): Promise<void> {
  await requestModels();
  await manageWebhooks();
  await runJobs();
  await sendEvents();
  await manageFiles();
  await runBatches();
  await sendInvalidMessages();
  await product.passTime(product.stack.now() + HOUR_MS);
}

async function requestModels(): Promise<void> {
  await product.call('POST', ENDPOINT, SMALL);
  const headers = { prefer: 'respond-async, wait=20', 'idempotency-key': 'one' };
  for (const [key, body] of Object.entries({ small: SMALL, large: LARGE, again: LARGE, large2: LARGE })) {
    const { status } = await product.request('POST', ENDPOINT, body, { ...headers, 'idempotency-key': key });
    expect([200, 202]).toContain(status);
  }
  // However long the job takes, its request returns the stored result once it has run.
  await becomesTrue(async () => {
    const again = await product.request('POST', ENDPOINT, LARGE, { ...headers, 'idempotency-key': 'large' });
    return again.status === 200;
  });
  // Without a key, the jobs of the derived keys are looked up.
  expect((await product.request('POST', ENDPOINT, SMALL, { prefer: 'respond-async' })).status).toBe(202);
}

async function manageWebhooks(): Promise<void> {
  const { port } = receiver.address() as AddressInfo;
  for (const name of ['works', 'recovers', 'gone']) {
    await product.call('POST', '/v1/webhooks', { url: `http://127.0.0.1:${port}/${name}` });
  }
  const { id } = await product.call('POST', '/v1/webhooks', { url: `http://127.0.0.1:${port}/other` });
  await product.call('GET', '/v1/webhooks');
  await product.call('POST', `/v1/webhooks/${id}/enable`);
  await product.call('DELETE', `/v1/webhooks/${id}`);
  await product.call('GET', '/v1/webhooks/secret');
  await product.call('POST', '/v1/webhooks/secret/rotate');
}

async function runJobs(): Promise<void> {
  const destinations = { reply_queue: 'results', event_bus: true };
  await product.call('PUT', '/v1/jobs/small', { endpoint: ENDPOINT, body: SMALL, ...destinations });
  await product.call('PUT', '/v1/jobs/large', { endpoint: ENDPOINT, body: LARGE, ...destinations });
  await product.call('PUT', '/v1/jobs/large', { endpoint: ENDPOINT, body: LARGE, ...destinations });
  await product.call('PUT', '/v1/jobs/wrong', {
    endpoint: ENDPOINT,
    body: { ...SMALL, dimensions: 0 },
    ...destinations,
  });
  await withoutDeliveries(/jobsminilm/i, async () => {
    await product.call('PUT', '/v1/jobs/canceled', { endpoint: ENDPOINT, body: LARGE, ...destinations });
    await product.call('POST', '/v1/jobs/canceled/cancel');
  });
  await settled(['small', 'large', 'wrong', 'canceled'].map((id) => `/v1/jobs/${id}`));
  await product.call('GET', '/v1/jobs');
  const { result_url: url } = await product.call('GET', '/v1/jobs/large');
  await fetch(String(url));
  const deliveries = async () =>
    (await product.call('GET', '/v1/jobs/small/deliveries'))['data'] as readonly { readonly id: string }[];
  await becomesTrue(async () => (await deliveries()).length > 0);
  const [delivery] = await deliveries();
  await product.call('POST', `/v1/jobs/small/deliveries/${delivery?.id}/redeliver`);
}

async function sendEvents(): Promise<void> {
  const event = (id: string, data: object) =>
    JSON.stringify({
      specversion: '1.0',
      type: 'tensorgate.job.v1',
      source: '/shop',
      id,
      data: { endpoint: ENDPOINT, ...data },
    });
  const arn = queueArn('jobs');
  await product.stack.queues.send(arn, event('1', { body: SMALL, reply_queue: 'results', event_bus: true }));
  await product.stack.queues.send(arn, event('1', { body: SMALL, reply_queue: 'results', event_bus: true }));
  await product.stack.queues.send(arn, event('2', { body: LARGE }));
  await product.stack.queues.send(arn, 'no event');
}

/** Each function moves messages that it cannot read to the dead letters. */
async function sendInvalidMessages(): Promise<void> {
  for (const { queueArn: arn } of product.stack.plan.eventSources) await product.stack.queues.send(arn, 'no message');
}

async function manageFiles(): Promise<void> {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new File([JSON.stringify(SMALL)], 'a.json'));
  const { id } = await sendForm('/v1/files', form);
  await product.call('GET', '/v1/files');
  await fetch(`${product.stack.url}/v1/files/${id}/content`, { headers: product.headers });
  await product.call('PUT', '/v1/jobs/of-file', { endpoint: '/v1/models/minilm:predict', input_file_id: id });
  await settled(['/v1/jobs/of-file']);
  await product.call('DELETE', `/v1/files/${id}`);
  await upload('complete');
  await upload('cancel');
}

async function upload(end: 'complete' | 'cancel'): Promise<void> {
  const { id } = await product.call('POST', '/v1/uploads', {
    filename: 'b',
    purpose: 'user_data',
    bytes: 3,
    mime_type: 'text/plain',
  });
  const parts: unknown[] = [];
  for (const text of ['a', 'bc']) {
    const form = new FormData();
    form.set('data', new File([text], 'part'));
    parts.push((await sendForm(`/v1/uploads/${id}/parts`, form))['id']);
  }
  await product.call('POST', `/v1/uploads/${id}/${end}`, end === 'complete' ? { part_ids: parts } : undefined);
}

async function runBatches(): Promise<void> {
  const line = (index: number) => JSON.stringify({ custom_id: `${index}`, method: 'POST', url: ENDPOINT, body: SMALL });
  const lines = [
    ...Array.from({ length: 450 }, (_, index) => line(index)),
    'no request',
    'x'.repeat(MAX_LINE_BYTES + 1),
  ];
  const done = await product.createBatch(ENDPOINT, lines);
  const canceled = await withoutDeliveries(/batches/i, async () => {
    const id = await product.createBatch(ENDPOINT, lines);
    await product.call('POST', `/v1/batches/${id}/cancel`);
    return id;
  });
  await settled([done, canceled].map((id) => `/v1/batches/${id}`));
  await product.call('GET', '/v1/batches');
  await becomesTrue(async () => {
    const deliveries = await product.call('GET', `/v1/jobs/${done}/deliveries`);
    return Array.isArray(deliveries['data']) && deliveries['data'].length > 0;
  });
  await product.request('DELETE', `/v1/batches/${done}`);
  await product.request('DELETE', '/v1/jobs/large');
}

/** Does something while no function receives messages of some queues, so that no function is quicker. */
async function withoutDeliveries<T>(queues: RegExp, action: () => Promise<T>): Promise<T> {
  const release = held.hold(queues);
  try {
    return await action();
  } finally {
    release();
  }
}

/** Passes time until a condition holds. */
async function becomesTrue(condition: () => Promise<boolean>): Promise<void> {
  let holds = false;
  await product.passTime(product.stack.now() + HOUR_MS, async () => {
    holds = await condition();
    return holds;
  });
  expect(holds).toBe(true);
}

async function settled(paths: readonly string[]): Promise<void> {
  const open = new Set(paths);
  await becomesTrue(async () => {
    for (const path of open) {
      const { status } = await product.call('GET', path);
      if (/^(succeeded|failed|cancel|completed|expired)/.test(String(status)) && status !== 'cancelling')
        open.delete(path);
    }
    return open.size === 0;
  });
}

async function sendForm(path: string, body: FormData): Promise<Record<string, unknown>> {
  const response = await fetch(`${product.stack.url}${path}`, { method: 'POST', headers: product.headers, body });
  const json = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(JSON.stringify(json));
  return json;
}

function queueArn(name: string): string {
  const url = product.stack.description.queues[name] ?? '';
  return product.stack.plan.queues.find(({ arn }) => url.endsWith(`/${arn.split(':').at(-1)}`))?.arn ?? '';
}

interface Grant {
  readonly functionName: string;
  readonly action: string;
  readonly resource: string;
}

/** Each action on each resource that the roles of functions allow. */
function grants(): Grant[] {
  const { functions, roles } = product.stack.plan;
  return functions.flatMap(({ name, roleArn }) =>
    (roles.find(({ arn }) => arn === roleArn)?.policies ?? []).flatMap((policy) =>
      statementsIn(policy).flatMap(({ Action, Resource }) =>
        [Action]
          .flat()
          .flatMap((action) => [Resource].flat().map((resource) => ({ functionName: name, action, resource }))),
      ),
    ),
  );
}

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

function statementsIn(policy: unknown): Statement[] {
  return (policy as { readonly Statement: Statement[] }).Statement;
}

/** Actions that AWS Lambda itself uses, for its log and its polling of queues. */
const OF_LAMBDA = /^(?:logs:|sqs:(?:ReceiveMessage|DeleteMessage|GetQueueAttributes)$)/;

/** Name of a function without that of its stack and without hashes. */
function shortName(functionName: string): string {
  return functionName
    .replace(/^.*?-dev-/, '')
    .replaceAll(/[0-9A-F]{8}/g, '')
    .replace(/Function$/, '');
}

/** Name of a resource without account, region and hashes. */
function shortResource(resource: string): string {
  return resource
    .replace(/^arn:aws:(\w+):[^:]*:[^:]*:/, '$1:')
    .replace(/tensorgate\w*-dev-/gi, '')
    .replace(/[0-9A-F]{8}(?=[^0-9A-Za-z]|$)/g, '');
}

test('each permission that a function has is used by it', () => {
  const all = grants().filter(({ action }) => !OF_LAMBDA.test(action));
  const unused = all.filter(({ functionName, action, resource }) => {
    const judge = compilePolicies([{ Statement: [{ Effect: 'Allow', Action: action, Resource: resource }] }]);
    return ![...used.values()].some((one) => one.functionName === functionName && judge(one) === 'allowed');
  });
  expect(all.length).toBeGreaterThan(50);
  expect(unused.map(nameOf).filter((name) => !NOT_REACHED.some(([grant]) => grant.test(name)))).toEqual([]);
  const names = all.map(nameOf);
  expect(NOT_REACHED.filter(([grant]) => !names.some((name) => grant.test(name)))).toEqual([]);
});

test('no function lacks a permission for what it does', () => {
  expect(used.size).toBeGreaterThan(50);
  expect(denied).toEqual([]);
});

function nameOf({ functionName, action, resource }: Grant): string {
  return `${shortName(functionName)} ${action} ${shortResource(resource)}`;
}
