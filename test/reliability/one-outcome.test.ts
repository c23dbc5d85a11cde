import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { openJobStates } from '../../cli/job-states.ts';
import { redriveDeadLetters } from '../../cli/redrive-dead-letters.ts';
import { DEAD_LETTER_ATTRIBUTES } from '../../core/jobs/dead-letter.ts';
import type { JobMessage } from '../../core/jobs/job-message.ts';
import type { LocalFaults } from '../../local/aws/faults.ts';
import { synthesizeApp } from '../app/running-app.ts';
import { Product } from './product.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BODY = { model: 'minilm', input: 'The parcel arrived.' };

/** Faults of the running test. */
const faults: LocalFaults = {};

let assembly: string;
let directory: string;
let product: Product;

beforeAll(async () => {
  assembly = await synthesizeApp();
  directory = await mkdtemp(join(tmpdir(), 'tensorgate-outcome-'));
  product = await Product.start({
    assembly,
    directory,
    faults: { onCall: (call) => faults.onCall?.(call), onDelivery: (delivery) => faults.onDelivery?.(delivery) },
  });
}, 120_000);

afterEach(() => {
  delete faults.onCall;
  delete faults.onDelivery;
});

afterAll(async () => {
  await product?.[Symbol.asyncDispose]();
  await rm(assembly, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

const statusOf = async (id: string) => (await product.request('GET', `/v1/jobs/${id}`)).json['status'];

/** Passes time until a job has ended. */
function ended(id: string): Promise<void> {
  const isOver = async () => !['queued', 'running'].includes(String(await statusOf(id)));
  return product.passTime(product.stack.now() + HOUR_MS, isOver);
}

function submit(id: string, more: object = {}) {
  return product.call('PUT', `/v1/jobs/${id}`, { endpoint: '/v1/embeddings', body: BODY, ...more });
}

interface Reply {
  readonly id: string;
  readonly subject: string;
  readonly type: string;
  readonly tenant: string;
}

/** Takes the events on the reply queue. */
async function replies(): Promise<readonly Reply[]> {
  return (await product.takeMessages('results')).map((text) => JSON.parse(text) as Reply);
}

/** Leaves the message of a job in the dead letters, as a worker does. */
async function addDeadLetter(owner: string, id: string, createdAtMs: number): Promise<void> {
  const url = product.stack.description.queues['dead-letters'] ?? '';
  const [source = ''] = product.inFlight().find(([name]) => /jobsminilm/i.test(name)) ?? [];
  const message: JobMessage = {
    v: 1,
    kind: 'job',
    owner,
    id,
    hash: 'of an earlier request',
    endpoint: '/v1/embeddings',
    model: 'minilm',
    createdAtMs,
    expiresAtMs: createdAtMs + 7 * DAY_MS,
    destinations: { replyQueue: 'results' },
    input: { kind: 'inline', json: JSON.stringify(BODY) },
  };
  const texts = {
    [DEAD_LETTER_ATTRIBUTES.errorCode]: 'WORKER_LOST',
    [DEAD_LETTER_ATTRIBUTES.sourceQueue]: url.replace(/[^/]*$/, source),
  };
  const attributes = Object.entries(texts).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]);
  const command = { QueueUrl: url, MessageBody: JSON.stringify(message) };
  await product.sqs.send(new SendMessageCommand({ ...command, MessageAttributes: Object.fromEntries(attributes) }));
}

/** Redrives all dead letters, with the jobs table or without it. */
async function redrive(withTable: boolean) {
  const { queues, stores } = product.stack.description;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const config = { endpoint: product.stack.endpointUrl, region: 'us-east-1', credentials };
  const states = openJobStates(stores['jobs'] ?? '', config);
  const options = { queueUrl: queues['dead-letters'] ?? '', limit: Number.POSITIVE_INFINITY, dryRun: false };
  const findJob = withTable ? { findJob: states.find } : {};
  try {
    return await redriveDeadLetters(product.sqs, { ...options, ...findJob, redriveId: crypto.randomUUID() });
  } finally {
    states.close();
  }
}

test('a dead letter that is redriven changes nothing of another job that has its id now', async () => {
  await submit('nightly', { reply_queue: 'results' });
  await ended('nightly');
  const [{ tenant }] = (await replies()) as [Reply];
  const before = await product.call('GET', '/v1/jobs/nightly');
  await addDeadLetter(tenant, 'nightly', product.stack.now() - DAY_MS);
  expect(await redrive(true)).toMatchObject([{ found: 1, putBack: 0, otherJob: 1, ended: 0 }]);
  expect(await redrive(false)).toMatchObject([{ found: 1, putBack: 1 }]);
  await product.passTime(product.stack.now() + HOUR_MS, () => product.inFlight().every(isEmpty));
  expect(await product.call('GET', '/v1/jobs/nightly')).toEqual(before);
  expect(await replies()).toEqual([]);

  // A job whose record was deleted runs, and its result can be read when its destinations are notified.
  await addDeadLetter(tenant, 'old', product.stack.now() - 8 * DAY_MS);
  expect(await redrive(true)).toMatchObject([{ found: 1, putBack: 1, otherJob: 0, ended: 0 }]);
  await product.passTime(product.stack.now() + HOUR_MS, async () => (await statusOf('old')) === 'succeeded');
  expect(await statusOf('old')).toBe('succeeded');
  expect(await replies()).toMatchObject([{ subject: 'old', type: 'tensorgate.job.succeeded.v1' }]);
}, 120_000);

test('a job that waits for a worker longer than its retention ends, and is kept for the retention from then on', async () => {
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  faults.onDelivery = ({ queueArn }) => (/jobsminilm/i.test(queueArn) ? { heldUntil: isReleased } : undefined);
  await submit('waits', { reply_queue: 'results' });
  await product.stack.advance(8 * DAY_MS);
  expect(await statusOf('waits')).toBe('queued');
  delete faults.onDelivery;
  release();
  await ended('waits');
  const job = await product.call('GET', '/v1/jobs/waits');
  expect(job['status']).toBe('succeeded');
  expect(Date.parse(String(job['expires_at'])) - Date.parse(String(job['ended_at']))).toBe(7 * DAY_MS);
  const ids = new Set((await replies()).map(({ id }) => id));
  expect(ids.size).toBe(1);
  await product.stack.advance(8 * DAY_MS);
  expect(await statusOf('waits')).toBe(404);
}, 120_000);

test('a request whose record cannot be written is accepted, and repeated it is the same job', async () => {
  faults.onCall = ({ action, functionName }) =>
    action === 'dynamodb:PutItem' && !/runjobs/i.test(functionName) ? 'fail' : undefined;
  const send = () => product.request('POST', '/v1/embeddings', BODY, { prefer: 'respond-async' });
  const first = await send();
  expect([first.status, first.json['status']]).toEqual([202, 'queued']);
  const id = String(first.json['id']);
  await ended(id);
  const again = await send();
  expect([again.status, again.json['id'], again.json['status']]).toEqual([202, id, 'succeeded']);
}, 120_000);

/** Kills one function in its next call of an action. Returns the local time of that. */
function killOnce(functionName: RegExp, action: RegExp): () => number | undefined {
  let killedAtMs: number | undefined;
  faults.onCall = (call) => {
    if (killedAtMs !== undefined || !functionName.test(call.functionName) || !action.test(call.action))
      return undefined;
    killedAtMs = product.stack.now();
    return 'kill-after';
  };
  return () => killedAtMs;
}

test('the work of a worker that was killed is taken up by another within 60 seconds', async () => {
  const killedAtMs = killOnce(/runjobs/, /^dynamodb:UpdateItem$/);
  await submit('of-killed-worker');
  await ended('of-killed-worker');
  const { json } = await product.request('GET', '/v1/jobs/of-killed-worker');
  expect(json).toMatchObject({ status: 'succeeded', attempts: 2 });
  expect(Date.parse(String(json['ended_at'])) - (killedAtMs() ?? Number.NaN)).toBeLessThanOrEqual(60_000);
}, 120_000);

test('a merge that was killed is taken up within 2 minutes', async () => {
  const killedAtMs = killOnce(/processbatches/, /^s3:(PutObject|CreateMultipartUpload)$/);
  const line = { custom_id: 'a', method: 'POST', url: '/v1/embeddings', body: BODY };
  const id = await product.createBatch('/v1/embeddings', [JSON.stringify(line)]);
  const read = () => product.request('GET', `/v1/batches/${id}`);
  await product.passTime(product.stack.now() + HOUR_MS, async () => (await read()).json['status'] === 'completed');
  const { json } = await read();
  expect(json).toMatchObject({ status: 'completed', request_counts: { total: 1, completed: 1, failed: 0 } });
  const seconds = Number(json['completed_at']) - (killedAtMs() ?? Number.NaN) / 1000;
  expect(seconds).toBeLessThanOrEqual(120);
}, 120_000);

test('a destination that is unavailable is notified later, and the others once', async () => {
  let failures = 3;
  let events = 0;
  faults.onCall = ({ action }) => {
    if (action !== 'events:PutEvents') return undefined;
    if (failures-- > 0) return 'fail';
    events += 1;
    return undefined;
  };
  await submit('notified', { reply_queue: 'results', event_bus: true });
  await product.passTime(product.stack.now() + HOUR_MS, () => events > 0 && product.inFlight().every(isEmpty));
  expect([await statusOf('notified'), events]).toEqual(['succeeded', 1]);
  expect(await replies()).toHaveLength(1);
}, 120_000);

function isEmpty([, { waiting, inFlight, delayed }]: ReturnType<Product['inFlight']>[number]): boolean {
  return waiting + inFlight + delayed === 0;
}
