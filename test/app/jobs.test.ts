import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { type RunningApp, startApp, synthesizeApp } from './running-app.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const LINES = 10_000;

let assembly: string;
let app: RunningApp;

beforeAll(async () => {
  assembly = await synthesizeApp();
  app = await startApp(assembly, ['--allow-loopback-webhooks']);
});

afterAll(async () => {
  await app?.stop();
  await rm(assembly, { recursive: true, force: true });
});

interface JobResource {
  readonly id: string;
  readonly status: string;
  readonly result?: { readonly data: readonly { readonly embedding: unknown }[] };
  readonly error?: { readonly code: string };
}

interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly json: T;
}

async function call<T = JobResource>(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Record<string, string>; readonly plan?: string } = {},
): Promise<Answer<T>> {
  const response = await fetch(`${app.description.url}${path}`, {
    method,
    headers: {
      'x-api-key': app.key(options.plan ?? 'internal'),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: (text === '' ? undefined : JSON.parse(text)) as T,
  };
}

/** Asks again until an answer is there; the test's own timeout bounds it. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(50);
  }
}

function finished(id: string): Promise<JobResource> {
  return until(async () => {
    const { json } = await call('GET', `/v1/jobs/${id}`);
    return ['queued', 'running'].includes(json.status) ? undefined : json;
  });
}

function localSqs(queueUrl: string): SQSClient {
  return new SQSClient({
    endpoint: new URL(queueUrl).origin,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
}

/** Receives the next event on a reply queue, and deletes it. */
function receiveReply(client: SQSClient, queueUrl: string): Promise<{ type: string; data: JobResource }> {
  return until(async () => {
    const { Messages: [message] = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 2 }),
    );
    if (message === undefined) return undefined;
    await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }));
    return JSON.parse(message.Body ?? '') as { type: string; data: JobResource };
  });
}

const openAi = (): OpenAI =>
  new OpenAI({
    baseURL: `${app.description.url}/v1`,
    apiKey: 'unused',
    defaultHeaders: { 'x-api-key': app.key('internal') },
  });

const BODY = { model: 'minilm', input: 'The parcel arrived this morning.', encoding_format: 'float' };

describe('jobs of the app of this repository', () => {
  it('are accepted immediately and return the result of the synchronous route', async () => {
    const synchronous = await call('POST', '/v1/embeddings', { body: BODY });
    const accepted = await call('POST', '/v1/embeddings', { body: BODY, headers: { prefer: 'respond-async' } });
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('preference-applied')).toBe('respond-async');
    expect(accepted.headers.get('location')).toMatch(new RegExp(`/v1/jobs/${accepted.json.id}$`));
    const job = await finished(accepted.json.id);
    expect(job.status).toBe('succeeded');
    expect(job.result).toEqual(synchronous.json);
  });

  it('are returned with their result within the time that the caller prefers to wait', async () => {
    const { status, headers, json } = await call('POST', '/v1/embeddings', {
      body: BODY,
      headers: { prefer: 'wait=20' },
    });
    expect(status).toBe(200);
    expect(headers.get('preference-applied')).toBe('wait=20');
    expect(json).toMatchObject({ object: 'list' });
  });

  it('are returned to waiting callers with results that are too large for their records', async () => {
    const body = { model: BODY.model, input: ['a', 'b', 'c', 'd', 'e'] };
    const synchronous = await call('POST', '/v1/embeddings', { body });
    const { status, json } = await call('POST', '/v1/embeddings', { body, headers: { prefer: 'wait=20' } });
    expect(status).toBe(200);
    expect(JSON.stringify(json).length).toBeGreaterThan(16_384);
    expect(json).toEqual(synchronous.json);
  });

  it('are submitted once by an id of the caller, and a conflict with another body', async () => {
    const request = { endpoint: '/v1/embeddings', body: BODY };
    const first = await call('PUT', '/v1/jobs/parcel-1', { body: request });
    expect(first.status).toBe(202);
    const again = await call('PUT', '/v1/jobs/parcel-1', { body: request });
    expect(again.json.id).toBe('parcel-1');
    const other = await call<{ code: string }>('PUT', '/v1/jobs/parcel-1', {
      body: { ...request, body: { ...BODY, input: 'Another.' } },
    });
    expect([other.status, other.json.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
    expect((await finished('parcel-1')).status).toBe('succeeded');
  });

  it('are invisible to every other key', async () => {
    await call('PUT', '/v1/jobs/mine', { body: { endpoint: '/v1/embeddings', body: BODY } });
    const { status, json } = await call<{ code: string }>('GET', '/v1/jobs/mine', { plan: 'pro' });
    expect([status, json.code]).toEqual([404, 'JOB_NOT_FOUND']);
  });

  it('are submitted by producers with an SQS client, and reply on a reply queue', async () => {
    const { jobs = '', results = '' } = app.description.queues;
    const client = localSqs(jobs);
    const event = {
      specversion: '1.0',
      id: 'order-17',
      source: '/shop/orders',
      type: 'tensorgate.job.v1',
      data: { endpoint: '/v1/embeddings', body: BODY, reply_queue: 'results' },
    };
    await client.send(new SendMessageCommand({ QueueUrl: jobs, MessageBody: JSON.stringify(event) }));
    const reply = await receiveReply(client, results);
    client.destroy();
    expect(reply.type).toBe('tensorgate.job.succeeded.v1');
    expect(reply.data.result?.data).toHaveLength(1);
  });

  it('run for the event in the guide for producers, whose body names no model', async () => {
    const [, event = ''] = /^```json\n(.*?)^```/ms.exec(await readFile('docs/sqs-producers.md', 'utf8')) ?? [];
    const { jobs = '', results = '' } = app.description.queues;
    const client = localSqs(jobs);
    await client.send(new SendMessageCommand({ QueueUrl: jobs, MessageBody: event }));
    const { data: job } = await receiveReply(client, results);
    client.destroy();
    const { json } = await call('POST', '/v1/embeddings', {
      body: { ...JSON.parse(event).data.body, model: 'minilm' },
    });
    expect(job).toMatchObject({ status: 'succeeded', result: json });
  });

  it.each([
    ['send-job.ts', process.execPath],
    ['send-job.sh', 'sh'],
  ])('run for the requests of the example %s, and receive-results.ts prints the result', async (file, interpreter) => {
    if (interpreter === 'sh' && spawnSync('jq', ['--version']).error !== undefined) return;
    const { jobs = '', results = '' } = app.description.queues;
    // The example calls the AWS CLI, which is not there everywhere: a stand-in sends the message with the AWS SDK.
    const bin = await mkdtemp(join(tmpdir(), 'tensorgate-bin-'));
    await writeFile(
      join(bin, 'aws'),
      `#!/bin/sh\nexec "${process.execPath}" "${resolve('test/app/aws-stand-in.mjs')}" "$@"\n`,
      {
        mode: 0o755,
      },
    );
    const env = {
      PATH: `${bin}:${process.env['PATH']}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: new URL(jobs).origin,
    };
    const execute = promisify(execFile);
    const send = [`examples/producers/${file}`, 'say "hello"'];
    await execute(interpreter, send, { env: { ...env, QUEUE_URL: jobs, REPLY_QUEUE: 'results' } });
    const receive = ['examples/producers/receive-results.ts', '1'];
    const { stdout } = await execute(process.execPath, receive, { env: { ...env, QUEUE_URL: results } });
    await rm(bin, { recursive: true });
    const { json } = await call('POST', '/v1/embeddings', { body: { model: 'minilm', input: ['say "hello"'] } });
    expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded', result: json });
  });

  it('notify webhooks, whose signatures the library of the standard verifies', async () => {
    const receiver = new WebhookReceiver();
    const url = await receiver.listen();
    try {
      const { json: secret } = await call<{ secrets: readonly { secret: string }[] }>('GET', '/v1/webhooks/secret');
      receiver.trust(secret.secrets[0]?.secret ?? '');
      const { json } = await call('POST', '/v1/embeddings', {
        body: BODY,
        headers: { prefer: 'respond-async', 'x-webhook-url': url },
      });
      const event = await until(async () => receiver.events[0]);
      expect(event.body).toMatchObject({ type: 'job.succeeded', data: { id: json.id, status: 'succeeded' } });
      expect(receiver.refused).toBe(0);
    } finally {
      await receiver.close();
    }
  });

  it(`run a batch of ${LINES} lines for the unchanged OpenAI client`, async () => {
    const client = openAi();
    const texts = Array.from({ length: LINES }, (_, index) => `Parcel number ${index}`);
    const lines = texts.map((input, index) =>
      JSON.stringify({
        custom_id: `parcel-${index}`,
        method: 'POST',
        url: '/v1/embeddings',
        body: { model: 'minilm', input, encoding_format: 'base64' },
      }),
    );
    const file = await client.files.create({
      file: await toFile(Buffer.from(`${lines.join('\n')}\n`), 'parcels.jsonl'),
      purpose: 'batch',
    });
    const { id } = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/embeddings',
      completion_window: '24h',
    });
    const batch = await until(async () => {
      const now = await client.batches.retrieve(id);
      return ['validating', 'in_progress', 'finalizing'].includes(now.status) ? undefined : now;
    });
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: LINES, completed: LINES, failed: 0 },
    });
    const content = await (await client.files.content(batch.output_file_id ?? '')).text();
    const answers = content
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as BatchLine);
    expect(answers.map(({ custom_id }) => custom_id)).toEqual(texts.map((_, index) => `parcel-${index}`));
    const sample = [0, 1, 199, 200, 4321, LINES - 1];
    const { data } = await client.embeddings.create({
      model: 'minilm',
      input: sample.map((index) => texts[index] ?? ''),
      encoding_format: 'base64',
    });
    expect(sample.map((index) => answers[index]?.response.body.data[0]?.embedding)).toEqual(
      data.map(({ embedding }) => embedding),
    );
  }, 240_000);
});

interface BatchLine {
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly body: { readonly data: readonly { readonly embedding: unknown }[] };
  };
}
