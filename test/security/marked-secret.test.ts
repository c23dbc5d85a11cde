import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TimedActivity } from '../../local/activity/activity.ts';
import { renderActivity } from '../../local/terminal/activity-line.ts';
import { synthesizeApp } from '../app/running-app.ts';
import { Product } from '../reliability/product.ts';
import {
  MARK,
  MARKED_DIGITS,
  MARKS,
  type MarkedRequest,
  markedEvents,
  markedLines,
  markedMessages,
  markedRequests,
} from './marked-requests.ts';

const HOUR_MS = 3_600_000;
const CONCURRENCY = 8;

let assembly: string;
let directory: string;
let product: Product;
let receiver: Server;
/** Bodies that a webhook received. */
const received: string[] = [];
const activities: TimedActivity[] = [];
const responses: { readonly request: MarkedRequest; readonly status: number; readonly text: string }[] = [];

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-marked-'));
  receiver = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    request.on('end', () => response.writeHead(request.url?.includes('fails') === true ? 500 : 204).end());
  }).listen(0, '127.0.0.1');
  product = await Product.start({ assembly, directory, onActivity: (activity) => void activities.push(activity) });
  await sendEverything();
}, 180_000);

afterAll(async () => {
  await product?.[Symbol.asyncDispose]();
  receiver?.close();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

let batchId: string;

async function sendEverything(): Promise<void> {
  const { stack } = product;
  const { port } = receiver.address() as AddressInfo;
  const hook = (name: string) => `http://127.0.0.1:${port}/${name}/${MARK}`;
  await product.call('POST', '/v1/webhooks', { url: hook('works') });
  const body = { model: 'minilm', input: MARK };
  const job = (id: string, more: object) =>
    product.call('PUT', `/v1/jobs/${id}`, { endpoint: '/v1/embeddings', ...more });
  await job('succeeds', { body, webhook_url: hook('fails'), reply_queue: 'results', event_bus: true });
  await job('unreachable', { body, webhook_url: `http://127.0.0.1:1/${MARK}` });
  await job('fails', {
    body: { ...body, dimensions: MARKED_DIGITS, [MARK]: MARK },
    event_bus: true,
    reply_queue: 'results',
  });
  batchId = await product.createBatch('/v1/embeddings', markedLines());
  const requests = markedRequests();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let request = requests.pop(); request !== undefined; request = requests.pop()) await send(request);
    }),
  );
  const fed = new Set(stack.plan.eventSources.map(({ queueArn }) => queueArn));
  for (const queueArn of fed) {
    const isForProducers = stack.description.queues['jobs']?.endsWith(`/${queueArn.split(':').at(-1)}`) === true;
    for (const message of isForProducers ? markedEvents() : markedMessages())
      await stack.queues.send(queueArn, message);
  }
  const untilMs = stack.now() + 5 * HOUR_MS;
  await product.passTime(untilMs, async () => product.inFlight().every(([, depth]) => depth.waiting === 0));
  await product.passTime(untilMs, async () => {
    const { status } = await product.call('GET', `/v1/batches/${batchId}`);
    return status === 'completed' || status === 'failed';
  });
}

async function send(request: MarkedRequest): Promise<void> {
  const { method, path, headers, body } = request;
  const key = product.stack.description.apiKeys.find(({ plan }) => plan === 'internal')?.value ?? '';
  const response = await fetch(`${product.stack.url}${path}`, {
    method,
    headers: { 'x-api-key': key, ...headers },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  const text = `${JSON.stringify([...response.headers])}\n${await response.text()}`;
  responses.push({ request, status: response.status, text });
}

test('every request gets a problem document that contains nothing of it, and none causes a failure', () => {
  const problems = responses.filter(({ status }) => status >= 400);
  expect(problems.length).toBeGreaterThan(1000);
  expect(problems.filter(({ text }) => MARKS.test(text)).map(({ request, text }) => ({ request, text }))).toEqual([]);
  expect(problems.filter(({ status }) => status >= 500)).toEqual([]);
  expect(problems.filter(({ text }) => text.length > 12_000)).toEqual([]);
});

test('no log contains anything of a request or an event', () => {
  const files = globSync('**/*.log', { cwd: directory });
  expect(files.length).toBeGreaterThan(5);
  const marked = files.flatMap((file) =>
    readFileSync(join(directory, file), 'utf8')
      .split('\n')
      .filter((line) => MARKS.test(line) || line.length > 20_000)
      .map((line) => `${file}: ${line.slice(0, 2000)}`),
  );
  expect(marked).toEqual([]);
});

test('no activity, which terminals print, contains anything of a request or an event', () => {
  expect(activities.length).toBeGreaterThan(1000);
  expect(activities.filter((activity) => MARKS.test(JSON.stringify(activity)))).toEqual([]);
  const printed = activities.map(renderActivity).filter((line) => line !== undefined);
  expect(printed.length).toBeGreaterThan(1000);
  expect(printed.filter((line) => MARKS.test(line) || line.length > 5000)).toEqual([]);
});

test('no attribute of a dead letter contains anything of the letter', async () => {
  const url = product.stack.description.queues['dead-letters'] ?? '';
  const attributes: unknown[] = [];
  for (;;) {
    const { Messages: messages = [] } = await product.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
    );
    if (messages.length === 0) break;
    attributes.push(...messages.map(({ MessageAttributes: own }) => own));
  }
  expect(attributes.length).toBeGreaterThan(50);
  expect(attributes.filter((own) => MARKS.test(JSON.stringify(own)))).toEqual([]);
});

test('the reply, the event and the webhook of a failed job contain no values of its input', async () => {
  const replies = await product.takeMessages('results');
  const failed = [...replies, ...received].filter((text) => text.includes('failed'));
  expect(failed.length).toBeGreaterThan(1);
  expect(failed.filter((text) => MARKS.test(text))).toEqual([]);
});

test('an error line of a batch contains nothing of its line except the custom_id', async () => {
  const batch = await product.call('GET', `/v1/batches/${batchId}`);
  const lines = await product.readLines(batch['error_file_id']);
  expect(lines.length).toBeGreaterThan(50);
  expect(lines.filter((line) => MARKS.test(JSON.stringify(line)))).toEqual([]);
});

/**
 * Attributes of records that hold what a caller chose, because it gets it back: webhooks and their deliveries, names of
 * files, tenants of producers.
 */
const CHOSEN = ['delivery', 'destinations', 'filename', 'fingerprint', 'list', 'listKey', 'owner', 'pk'];

test('records contain values of a caller only in members that are returned to the caller', async () => {
  const { stack } = product;
  const marked = new Set<string>();
  for (const { name } of stack.plan.tables) {
    const { Items: items } = (await stack.dynamodb.call('Scan', { TableName: name })) as { Items: object[] };
    for (const [attribute, value] of items.flatMap((item) => Object.entries(item))) {
      if (MARKS.test(JSON.stringify(value))) marked.add(attribute.split('/')[0] ?? '');
    }
  }
  expect([...marked].filter((attribute) => !CHOSEN.includes(attribute))).toEqual([]);
});

/** Variables of API Gateway whose values no caller chooses: it does not escape quotes in them. */
const LOGGED_VARIABLES =
  /^\$context\.(?:requestId|requestTime|identity\.(?:sourceIp|apiKeyId)|httpMethod|resourcePath|protocol|status|error\.responseType|responseLength|responseLatency|integrationLatency|integrationStatus|authorizer\.\w+)$/;

test('the access log of the stage has no variable that contains anything of a request', () => {
  const variables = globSync('*.template.json', { cwd: assembly }).flatMap((file) =>
    [...readFileSync(join(assembly, file), 'utf8').matchAll(/"Format": "((?:[^"\\]|\\.)*)"/g)].flatMap(
      ([, format = '']) => format.match(/\$context\.[\w.]+/g) ?? [],
    ),
  );
  expect(variables.length).toBeGreaterThan(5);
  expect(variables.filter((variable) => !LOGGED_VARIABLES.test(variable))).toEqual([]);
});
