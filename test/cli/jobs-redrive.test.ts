import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { buildApp } from 'fauxqs';
import { DEAD_LETTER_ATTRIBUTES, REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import { definitionOf, type JobMessage } from '../../core/jobs/job-message.ts';
import type { JobStore } from '../../core/jobs/job-store.ts';
import { openDynamoDbJobStore } from '../../lambdas/shared/jobs/dynamodb-job-store.ts';
import { JOBS, startTables, type Tables } from '../lambdas/shared/jobs/job-servers.ts';
import { jobMessage } from '../lambdas/shared/jobs/jobs-harness.ts';
import { tensorgate } from './model-commands.ts';

const server = { app: buildApp({ logger: false }), url: '' };
let client: SQSClient;
let [deadLetters, source] = ['', ''];

beforeEach(async () => {
  server.app = buildApp({ logger: false });
  server.url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  client = new SQSClient({ endpoint: server.url, region: 'us-east-1', credentials });
  [deadLetters, source] = [await createQueue('dead-letters'), await createQueue('jobs-tiny')];
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: server.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  });
});

afterEach(async () => {
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
    delete process.env[name];
  }
  client.destroy();
  await server.app.close();
});

/** Its URL with the server's own address, which the queue's host name does not resolve to. */
async function createQueue(name: string): Promise<string> {
  await client.send(new CreateQueueCommand({ QueueName: name }));
  return `${server.url}/000000000000/${name}`;
}

const text = (StringValue: string) => ({ DataType: 'String', StringValue });

function addDeadLetter(
  body: string,
  code: string,
  others: Record<string, ReturnType<typeof text>> = {},
): Promise<unknown> {
  const { errorCode, errorMessage, sourceQueue } = DEAD_LETTER_ATTRIBUTES;
  return client.send(
    new SendMessageCommand({
      QueueUrl: deadLetters,
      MessageBody: body,
      MessageAttributes: {
        [errorCode]: text(code),
        [errorMessage]: text(`because of ${body}`),
        [sourceQueue]: text(source),
        ...others,
      },
    }),
  );
}

async function contents(queueUrl: string) {
  const { Messages: messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
  );
  return messages.sort((a, b) => ((a.Body ?? '') < (b.Body ?? '') ? -1 : 1));
}

async function waiting(queueUrl: string): Promise<number> {
  const { Attributes: attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
  );
  return Number(attributes?.['ApproximateNumberOfMessages']);
}

const redrive = (...args: readonly string[]) => tensorgate('jobs', 'redrive', '--queue-url', deadLetters, ...args);

describe('tensorgate jobs redrive', () => {
  it('returns every dead letter to its source queue, marked once', async () => {
    for (let index = 0; index < 23; index++)
      await addDeadLetter(`job-${index}`, 'WORKER_LOST', { traceparent: text('00-1') });
    const { exitCode, stdout } = await redrive();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/WORKER_LOST +jobs-tiny +23 +23 +because of job-/);
    expect(await waiting(deadLetters)).toBe(0);
    expect(await waiting(source)).toBe(23);
    const [message] = await contents(source);
    const attributes = message?.MessageAttributes ?? {};
    expect(Object.keys(attributes).sort()).toEqual([REDRIVE_ATTRIBUTE, 'traceparent']);
    expect(attributes[REDRIVE_ATTRIBUTE]?.StringValue).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('leaves letters with other codes and letters beyond the limit visible in the queue', async () => {
    await addDeadLetter('a', 'WORKER_LOST');
    await addDeadLetter('b', 'INVALID_EVENT');
    await addDeadLetter('c', 'WORKER_LOST');
    const { stdout } = await redrive('--code', 'WORKER_LOST', '--limit', '1');
    expect(stdout).toMatch(/WORKER_LOST +jobs-tiny +2 +1 /);
    expect(stdout).toMatch(/INVALID_EVENT +jobs-tiny +1 +0 /);
    expect(await waiting(source)).toBe(1);
    expect(await waiting(deadLetters)).toBe(2);
  });

  it('changes nothing in a dry run', async () => {
    await addDeadLetter('a', 'INVALID_EVENT');
    const { stdout } = await redrive('--dry-run');
    expect(stdout).toMatch(/INVALID_EVENT +jobs-tiny +1 +- +because of a/);
    expect(await waiting(source)).toBe(0);
    expect((await contents(deadLetters)).map(({ Body: body }) => body)).toEqual(['a']);
  });

  it('keeps and reports letters whose source queue is unknown', async () => {
    await client.send(new SendMessageCommand({ QueueUrl: deadLetters, MessageBody: 'stray' }));
    const { stdout } = await redrive();
    expect(stdout).toMatch(/WORKER_LOST +unknown +1 +0 /);
    expect(await waiting(deadLetters)).toBe(1);
  });

  it('reports that no dead letters exist', async () => {
    expect((await redrive()).stdout).toBe('no dead letters\n');
  });

  it.each([
    [
      'the limit is not a number',
      ['--limit', 'many'],
      /argument 'many' is invalid\. It must be a whole number from 1\./,
    ],
    ['the port is out of range', ['--port', '0'], /It must be a whole number from 1 to 65535\./],
    ['the queue is not a URL', ['--queue-url', 'dead'], /^INVALID_PARAMETER: --queue-url must be a URL, got dead$/m],
    ['the code is unknown', ['--code', 'WORKER_LSOT'], /Known codes are .*, WORKER_LOST\.$/m],
  ])('is refused as wrong usage when %s', async (_, args, message) => {
    const { exitCode, stderr } = await redrive(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('prints JSON', async () => {
    await addDeadLetter('a', 'INVALID_EVENT');
    const { stdout } = await redrive('--dry-run', '--json');
    expect(JSON.parse(stdout)).toEqual([
      { code: 'INVALID_EVENT', source: 'jobs-tiny', found: 1, putBack: 0, message: 'because of a' },
    ]);
  });

  describe('with the jobs table', () => {
    let tables: Tables;
    let jobs: JobStore;

    beforeEach(async () => {
      tables = await startTables();
      process.env['AWS_ENDPOINT_URL_DYNAMODB'] = tables.server.client.endpoint;
      jobs = openDynamoDbJobStore({ client: tables.client, table: JOBS, clock: { now: () => Date.now() } });
    });

    afterEach(async () => {
      delete process.env['AWS_ENDPOINT_URL_DYNAMODB'];
      await tables.close();
    });

    it('skips messages that would change nothing, and reports why', async () => {
      const message = (id: string) => jobMessage(Date.now(), id);
      const failure = { status: 'failed', error: { code: 'WORKER_LOST', message: 'lost' } } as const;
      const success = { status: 'succeeded', result: { kind: 'inline', json: '{}' }, version: '1', items: 1 } as const;
      const [failed, other, ended, untold, canceled, gone] = ['a', 'b', 'c', 'd', 'e', 'f'].map(message) as [
        JobMessage,
        JobMessage,
        JobMessage,
        JobMessage,
        JobMessage,
        JobMessage,
      ];
      for (const job of [failed, { ...other, hash: 'of another request' }, ended, untold, canceled]) {
        await jobs.create(definitionOf(job));
      }
      await jobs.finish(failed, failure);
      const succeeded = await jobs.finish(ended, success);
      await jobs.finish(untold, success);
      const stopped = await jobs.cancel(canceled);
      for (const job of [succeeded, stopped]) {
        if (job !== undefined) await jobs.markNotified(job, { kinds: ['webhooks'], isComplete: true });
      }
      for (const job of [failed, other, ended, untold, canceled, gone]) {
        await addDeadLetter(JSON.stringify(job), 'WORKER_LOST');
      }
      const dry = await redrive('--jobs-table', JOBS, '--dry-run', '--json');
      expect(JSON.parse(dry.stdout)).toMatchObject([{ found: 6, putBack: 0, otherJob: 1, ended: 2 }]);
      const { stdout } = await redrive('--jobs-table', JOBS);
      expect(stdout).toMatch(/WORKER_LOST +jobs-tiny +6 +3 +3 /);
      expect(stdout).toContain('1 left alone: the id belongs to another job\n');
      expect(stdout).toContain('2 left alone: the job has ended otherwise, or was deleted\n');
      const ids = (await contents(source)).map(({ Body: body = '' }) => (JSON.parse(body) as JobMessage).id);
      expect(ids.toSorted()).toEqual(['a', 'd', 'f']);
      expect(await waiting(deadLetters)).toBe(3);
    });

    it('requeues a message that is not a job', async () => {
      await addDeadLetter('no JSON', 'INVALID_EVENT');
      expect((await redrive('--jobs-table', JOBS)).stdout).toMatch(/INVALID_EVENT +jobs-tiny +1 +1 +0 /);
    });

    it('fails with UNAVAILABLE when the table does not exist, and changes nothing', async () => {
      await addDeadLetter(JSON.stringify(jobMessage(Date.now(), 'a')), 'WORKER_LOST');
      const { exitCode, stderr } = await redrive('--jobs-table', 'none');
      expect(exitCode).toBe(4);
      expect(stderr).toMatch(/^UNAVAILABLE: .* or the jobs table cannot be used/);
      expect(await waiting(source)).toBe(0);
    });
  });

  it('fails with UNAVAILABLE when no queue is named and local mode does not run, and names stale files', async () => {
    const [before, elsewhere] = [process.cwd(), await mkdtemp(join(tmpdir(), 'tensorgate-redrive-'))];
    process.chdir(elsewhere);
    try {
      const none = await tensorgate('jobs', 'redrive');
      expect(none.exitCode).toBe(4);
      expect(none.stderr).toMatch(/^UNAVAILABLE: local mode does not run in this folder: start it with npm start/);
      const ended = spawnSync(process.execPath, ['--version']).pid;
      const left = { url: 'http://127.0.0.1:1', pid: ended, queues: { 'dead-letters': 'http://127.0.0.1:1/0/dead' } };
      await mkdir('.tensorgate');
      await writeFile('.tensorgate/local.json', JSON.stringify(left));
      const { stderr } = await tensorgate('jobs', 'redrive');
      expect(stderr).toContain(`.tensorgate/local.json is left over from process ${ended}, which ended`);
    } finally {
      process.chdir(before);
      await rm(elsewhere, { recursive: true });
    }
  });
});
