import { DeleteQueueCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredFile } from '../../../core/files/file.ts';
import { parseWorkMessage } from '../../../core/jobs/work-message.ts';
import { type AcceptJobsHarness, jobEvent, SOURCE, startAcceptJobs } from './accept-jobs-harness.ts';

const DONE = { batchItemFailures: [] };
const DAY_MS = 86_400_000;

let harness: AcceptJobsHarness;

beforeEach(async () => {
  harness = await startAcceptJobs();
});

afterEach(() => harness.close());

/** Sends one message, runs the function, and returns the dead letters. */
async function refuse(body: unknown) {
  await harness.send(body);
  expect(await harness.work()).toEqual(DONE);
  expect(await harness.submitted()).toEqual([]);
  const [letter, ...others] = await harness.dead();
  expect(others).toEqual([]);
  return letter;
}

function fileOf(owner: string, id: string, more: Partial<StoredFile> = {}): StoredFile {
  const payload = { bucket: 'payloads', key: `files/${owner}/${id}` };
  const times = { createdAtMs: harness.clock.nowMs, expiresAtMs: harness.clock.nowMs + DAY_MS };
  return {
    owner,
    id,
    filename: 'a.json',
    purpose: 'user_data',
    bytes: 2,
    status: 'processed',
    payload,
    ...times,
    ...more,
  };
}

describe('an event of a producer', () => {
  it('becomes a job in the queue of its model and a record that its owner can read', async () => {
    await harness.send(jobEvent('1'));
    expect(await harness.work()).toEqual(DONE);
    const record = await harness.record('1');
    expect(record).toMatchObject({ owner: 'producers', status: 'queued', model: 'words', endpoint: '/v1/embeddings' });
    expect(record?.expiresAtMs).toBe(harness.clock.nowMs + 7 * DAY_MS);
    const [message, ...others] = await harness.submitted();
    expect(others).toEqual([]);
    expect(parseWorkMessage(message)).toMatchObject({ kind: 'job', id: record?.id, hash: record?.hash });
    expect(message?.input).toEqual({ kind: 'inline', json: '{"input":"a bb"}' });
    expect(harness.lines).toMatchObject([{ JobsSubmitted: 1, model: 'words', jobId: record?.id }]);
  });

  it('keeps the body as it was written, including 64-bit integers', async () => {
    const body = '{ "input" : "ä\\u0001", "big": 9007199254740993, "twice": 1.0, "twice": 2.50 }';
    const event = jobEvent('1', { body: 'BODY' });
    await harness.send(JSON.stringify(event).replace('"BODY"', body));
    await harness.work();
    expect((await harness.submitted())[0]?.input).toEqual({ kind: 'inline', json: body });
  });

  it('belongs to the API key that it names', async () => {
    await harness.send(jobEvent('1', {}, { tenant: 'key1' }));
    await harness.work();
    expect(await harness.record('1', 'key1')).toMatchObject({ owner: 'key1' });
    expect(await harness.record('1')).toBeUndefined();
  });

  it('passes its destinations and its trace context to the job', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const requested = { webhook_url: 'https://example.com/hook', reply_queue: 'answers', event_bus: true };
    await harness.send(jobEvent('1', requested, { traceparent }));
    await harness.work();
    const destinations = { webhookUrl: 'https://example.com/hook', replyQueue: 'answers', eventBus: true };
    expect(await harness.submitted()).toMatchObject([{ destinations, traceparent }]);
  });

  it('may have a body that is too large for a message, which is then stored in S3', async () => {
    const input = 'x'.repeat(300_000);
    await harness.send(jobEvent('1', { body: { input } }));
    await harness.work();
    const [message] = await harness.submitted();
    if (message?.input.kind !== 'payload') throw new Error('it is in the message');
    expect(await harness.servers.textOf(message.input.payload.key)).toBe(JSON.stringify({ input }));
  });

  it('may name an object in a bucket of the deployment', async () => {
    await harness.send(jobEvent('1', { body: undefined, input_s3: 's3://inputs/a/b.json' }));
    await harness.work();
    const payload = { bucket: 'inputs', key: 'a/b.json' };
    expect(await harness.submitted()).toMatchObject([{ input: { kind: 'payload', payload } }]);
  });

  it('may name a file of its owner', async () => {
    await harness.files.create(fileOf('key1', 'file-1'));
    await harness.send(jobEvent('1', { body: undefined, input_file_id: 'file-1' }, { apikeyid: 'key1' }));
    await harness.work();
    const payload = { bucket: 'payloads', key: 'files/key1/file-1' };
    expect(await harness.submitted()).toMatchObject([{ input: { kind: 'payload', payload } }]);
  });

  it('is one job, even if it is sent repeatedly', async () => {
    await harness.send(jobEvent('1'));
    await harness.send(jobEvent('1'));
    expect(await harness.work()).toEqual(DONE);
    await harness.send(jobEvent('1'));
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.submitted()).toHaveLength(1);
    expect(await harness.dead()).toEqual([]);
    const counted = harness.lines.map(({ JobsSubmitted: first, JobsDuplicate: again }) => [first, again]);
    expect(counted).toEqual([
      [1, undefined],
      [undefined, 1],
      [undefined, 1],
    ]);
  });

  it('is accepted after a redrive from the dead letters', async () => {
    await harness.send(jobEvent('1'), { redrive: { DataType: 'String', StringValue: 'r1' } });
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.record('1')).toMatchObject({ status: 'queued' });
  });
});

describe('an event that is refused', () => {
  it.each<[code: string, when: string, body: unknown]>([
    ['INVALID_EVENT', 'it is not JSON', '{"specversion":'],
    ['INVALID_EVENT', 'it is a text', 'hello'],
    ['INVALID_EVENT', 'it is a list', JSON.stringify([jobEvent('1')])],
    ['INVALID_EVENT', 'it is null', 'null'],
    ['INVALID_EVENT', 'it names a member __proto__', '{"__proto__":{"specversion":"1.0"}}'],
    ['INVALID_EVENT', 'it nests too deep', `${'['.repeat(70)}${']'.repeat(70)}`],
    ['INVALID_EVENT', 'it is the envelope of an SNS message', { Type: 'Notification', Message: '{}' }],
    ['INVALID_EVENT', 'its specversion is another one', jobEvent('1', {}, { specversion: '0.3' })],
    ['UNSUPPORTED_VERSION', 'its type has another version', jobEvent('1', {}, { type: 'tensorgate.job.v2' })],
    ['INVALID_BODY', 'its data is not a request', jobEvent('1', { endpoint: undefined })],
    ['INVALID_BODY', 'it has no input', jobEvent('1', { body: undefined })],
    ['INVALID_PARAMETER', 'its endpoint is not an inference route', jobEvent('1', { endpoint: '/v1/models' })],
    ['MODEL_NOT_FOUND', 'its path names no model', jobEvent('1', { endpoint: '/v1/models/none:predict' })],
    ['MODEL_NOT_FOUND', 'its body names no model', jobEvent('1', { body: { model: 'none', input: 'a' } })],
    ['DESTINATION_FORBIDDEN', 'there is no such reply queue', jobEvent('1', { reply_queue: 'elsewhere' })],
    ['DESTINATION_FORBIDDEN', 'its reply queue is a name of objects', jobEvent('1', { reply_queue: 'constructor' })],
    ['INVALID_WEBHOOK_URL', 'its webhook is private', jobEvent('1', { webhook_url: 'https://10.0.0.1/hook' })],
    ['INVALID_WEBHOOK_URL', 'its webhook is this machine', jobEvent('1', { webhook_url: 'https://127.0.0.1/hook' })],
    ['INVALID_WEBHOOK_URL', 'its webhook is not HTTPS', jobEvent('1', { webhook_url: 'http://example.com/hook' })],
    [
      'INPUT_FORBIDDEN',
      'its input is in a bucket that is not allowed',
      jobEvent('1', { body: undefined, input_s3: 's3://theirs/key' }),
    ],
    [
      'INPUT_FORBIDDEN',
      'its input is in the payload bucket',
      jobEvent('1', { body: undefined, input_s3: 's3://payloads/files/key2/file-1' }),
    ],
    ['FILE_NOT_FOUND', 'there is no such file', jobEvent('1', { body: undefined, input_file_id: 'file-none' })],
  ])('fails with %s when %s', async (code, _when, body) => {
    const letter = await refuse(body);
    expect(letter?.attributes).toMatchObject({ errorCode: code, sourceQueue: harness.urls.jobs });
    expect(letter?.attributes['errorMessage']).not.toBe('');
    expect(letter?.body).toBe(typeof body === 'string' ? body : JSON.stringify(body));
    expect(await harness.record('1')).toBeUndefined();
    expect(harness.lines).toMatchObject([{ DeadLetters: 1, code, level: 'WARN' }]);
  });

  it('fails with FILE_NOT_FOUND when the file belongs to another key', async () => {
    await harness.files.create(fileOf('key2', 'file-1'));
    const letter = await refuse(jobEvent('1', { body: undefined, input_file_id: 'file-1' }, { apikeyid: 'key1' }));
    expect(letter?.attributes['errorCode']).toBe('FILE_NOT_FOUND');
  });

  it('fails with BODY_TOO_LARGE when its file is larger than a worker can hold', async () => {
    await harness.files.create(fileOf('key1', 'file-1', { bytes: 65 * 1024 * 1024 }));
    const letter = await refuse(jobEvent('1', { body: undefined, input_file_id: 'file-1' }, { apikeyid: 'key1' }));
    expect(letter?.attributes['errorCode']).toBe('BODY_TOO_LARGE');
  });

  it('fails with IDEMPOTENCY_CONFLICT when another request had its source and id before', async () => {
    await harness.send(jobEvent('1'));
    await harness.work();
    await harness.submitted();
    const letter = await refuse(jobEvent('1', { body: { input: 'something else' } }));
    expect(letter?.attributes['errorCode']).toBe('IDEMPOTENCY_CONFLICT');
    expect(await harness.record('1')).toMatchObject({ status: 'queued' });
  });

  it('does not affect the other events of the invocation', async () => {
    await harness.send('broken');
    await harness.send(jobEvent('1'));
    await harness.send(jobEvent('1', { body: { input: 'other' } }));
    await harness.send(jobEvent('2', { endpoint: '/v1/models/none:predict' }));
    await harness.send(jobEvent('3'));
    expect(await harness.work()).toEqual(DONE);
    expect((await harness.submitted()).map(({ id }) => id).sort()).toEqual(
      [(await harness.record('1'))?.id, (await harness.record('3'))?.id].sort(),
    );
    const codes = (await harness.dead()).map(({ attributes }) => attributes['errorCode']);
    expect(codes.sort()).toEqual(['IDEMPOTENCY_CONFLICT', 'INVALID_EVENT', 'MODEL_NOT_FOUND']);
  });

  it('keeps the message attributes of its producer', async () => {
    await harness.send('broken', { tenant: { DataType: 'String', StringValue: 'shop' } });
    await harness.work();
    expect((await harness.dead())[0]?.attributes).toMatchObject({ tenant: 'shop', errorCode: 'INVALID_EVENT' });
  });
});

describe('an event that cannot be accepted right now', () => {
  const IMAGES = { endpoint: '/v1/models/images:predict', body: { instances: [[1]] } };

  it('is retried, and the other events are accepted', async () => {
    await harness.send(jobEvent('1', IMAGES));
    await harness.send(jobEvent('2'));
    const { batchItemFailures: failures } = await harness.work();
    expect(failures).toHaveLength(1);
    expect(await harness.submitted()).toHaveLength(1);
    expect(await harness.record('1')).toBeUndefined();
    expect(await harness.dead()).toEqual([]);
    const again = harness.lines.filter(({ outcome }) => outcome === 'will be retried');
    expect(again).toMatchObject([{ code: 'UNAVAILABLE', messageId: failures[0]?.itemIdentifier }]);
    expect(again[0]).not.toHaveProperty('_aws');
  });

  it('is accepted when the cause is fixed', async () => {
    await harness.send(jobEvent('1', IMAGES));
    await harness.work();
    await harness.servers.createQueue(harness.imagesUrl.split('/').at(-1) ?? '');
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.servers.receive(harness.imagesUrl)).toHaveLength(1);
    expect(await harness.record('1')).toMatchObject({ status: 'queued', model: 'images' });
  });

  it('waits longer each time, up to 5 minutes, however often it was received', async () => {
    await harness.send(jobEvent('1', IMAGES));
    for (let receive = 1; receive <= 10; receive++) {
      expect((await harness.work()).batchItemFailures).toHaveLength(1);
    }
    expect(harness.pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 150, 150, 150]);
    expect(await harness.dead()).toEqual([]);
  });

  it('moves to the dead letters with UNAVAILABLE after 24 hours', async () => {
    await harness.send(jobEvent('1', IMAGES));
    await harness.work();
    harness.clock.nowMs = Date.now() + 24 * 3600 * 1000;
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.dead()).toMatchObject([
      {
        attributes: { errorCode: 'UNAVAILABLE', sourceQueue: harness.urls.jobs },
        body: expect.stringContaining(SOURCE),
      },
    ]);
  });

  it('moves to the dead letters with INTERNAL after 8 tries that met a defect of this product', async () => {
    harness.files.get = () => Promise.reject(new TypeError('a defect'));
    await harness.send(jobEvent('1', { body: undefined, input_file_id: 'file-1' }, { apikeyid: 'key1' }));
    for (let receive = 1; receive < 8; receive++) expect((await harness.work()).batchItemFailures).toHaveLength(1);
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.dead()).toMatchObject([{ attributes: { errorCode: 'INTERNAL' } }]);
  });

  it('is retried while its file is being assembled', async () => {
    await harness.files.create(fileOf('key1', 'file-1', { status: 'uploaded' }));
    await harness.send(jobEvent('1', { body: undefined, input_file_id: 'file-1' }, { apikeyid: 'key1' }));
    expect((await harness.work()).batchItemFailures).toHaveLength(1);
    await harness.files.settle('key1', 'file-1', 'processed');
    expect(await harness.work()).toEqual(DONE);
    expect(await harness.submitted()).toHaveLength(1);
  });

  it('is retried if the dead-letter queue is unavailable', async () => {
    await harness.send('broken');
    await harness.servers.sqs.send(new DeleteQueueCommand({ QueueUrl: harness.urls.dead }));
    expect((await harness.work()).batchItemFailures).toHaveLength(1);
    expect(harness.lines).toMatchObject([{ outcome: 'will be retried', code: 'UNAVAILABLE' }]);
  });
});
