import { setTimeout as pause } from 'node:timers/promises';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalFaults } from '../../../../local/aws/faults.ts';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { ActivityRecorder } from '../../activity-recorder.ts';
import { type FixtureApp, lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';

const DAY_MS = 86_400_000;

let folder: string;
let stack: LocalStack | undefined;
let client: SQSClient;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  client?.destroy();
  await stack?.stop();
  stack = undefined;
  await removeFolder(folder);
});

const API = { methods: { 'GET /': lambdaMethod('Fn') } };
const NOTHING = { Fn: { code: 'export const handler = () => ({ statusCode: 200 });' } };

function queue(properties: Record<string, unknown> = {}) {
  return { Type: 'AWS::SQS::Queue', Properties: properties };
}

function redrive(target: string, maxReceiveCount: number) {
  return { RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [target, 'Arn'] }, maxReceiveCount } };
}

async function start(app: FixtureApp, faults?: LocalFaults): Promise<LocalStack> {
  const assembly = await writeFixtureApp(folder, app);
  stack = await startLocal({ assembly, directory: folder, port: 0, ...(faults === undefined ? {} : { faults }) });
  client = new SQSClient({
    endpoint: stack.endpointUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  return stack;
}

async function urlOf(logicalId: string): Promise<string> {
  const { QueueUrl: url = '' } = await client.send(new GetQueueUrlCommand({ QueueName: `Fixture-${logicalId}` }));
  return url;
}

async function send(url: string, body: string, delaySeconds?: number): Promise<void> {
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, DelaySeconds: delaySeconds }));
}

async function receive(url: string, options: { readonly wait?: number; readonly max?: number } = {}) {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: options.max ?? 1,
    WaitTimeSeconds: options.wait,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  });
  return (await client.send(command)).Messages ?? [];
}

async function until<T>(ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(10);
  }
}

describe('SQS of local mode', () => {
  it('returns URLs of this machine, by which queues are found', async () => {
    const { endpointUrl } = await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    expect(url).toBe(`${endpointUrl}/000000000000/Fixture-Queue`);
    await send(url, 'hello');
    const [message] = await receive(url);
    expect(message).toMatchObject({ Body: 'hello', Attributes: { ApproximateReceiveCount: '1' } });
  });

  it('ends a long poll when a message comes, and hides what was received', async () => {
    await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    const polling = receive(url, { wait: 20 });
    await send(url, 'at last');
    expect((await polling).map(({ Body: body }) => body)).toEqual(['at last']);
    expect(await receive(url)).toEqual([]);
  });

  it('shows a message again when its visibility timeout has passed, and never after it was deleted', async () => {
    const local = await start({ ...API, functions: NOTHING, resources: { Queue: queue({ VisibilityTimeout: 600 }) } });
    const url = await urlOf('Queue');
    await send(url, 'again');
    await receive(url);
    await local.advance(599_000);
    expect(await receive(url)).toEqual([]);
    const polling = receive(url, { wait: 20 });
    await local.advance(2000);
    const [message] = await polling;
    expect(message?.Attributes?.['ApproximateReceiveCount']).toBe('2');
    await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle }));
    await local.advance(601_000);
    expect(await receive(url)).toEqual([]);
  });

  it('shows a message again immediately when its visibility is set to zero', async () => {
    await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    await send(url, 'back');
    const [message] = await receive(url);
    const polling = receive(url, { wait: 20 });
    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: message?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );
    expect(await polling).toHaveLength(1);
  });

  it('puts quiet tenants before a noisy one, and keeps the group of each message', async () => {
    await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    const sendAll = (group: string, count: number) =>
      client.send(
        new SendMessageBatchCommand({
          QueueUrl: url,
          Entries: Array.from({ length: count }, (_, at) => ({
            Id: `${at}`,
            MessageBody: `${group} ${at}`,
            MessageGroupId: group,
          })),
        }),
      );
    for (let at = 0; at < 5; at += 1) await sendAll('noisy', 10);
    for (let at = 0; at < 3; at += 1) await receive(url, { max: 10 });
    await sendAll('quiet', 1);
    const messages = await receive(url, { max: 2 });
    expect(messages.map(({ Attributes }) => Attributes?.['MessageGroupId'])).toEqual(['quiet', 'noisy']);
    expect(messages[0]?.Body).toBe('quiet 0');
  });

  it('refuses message groups that SQS refuses', async () => {
    await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    for (const group of ['a b', 'ä', 'a'.repeat(129)]) {
      const command = new SendMessageCommand({ QueueUrl: url, MessageBody: 'x', MessageGroupId: group });
      await expect(client.send(command)).rejects.toMatchObject({
        name: expect.stringMatching(/InvalidParameterValue$/),
      });
    }
  });

  it('holds delayed messages back until their time', async () => {
    const local = await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    await send(url, 'later', 900);
    expect(await receive(url)).toEqual([]);
    expect(local.queues.depths().get('Fixture-Queue')).toEqual({ waiting: 0, inFlight: 0, delayed: 1 });
    const polling = receive(url, { wait: 20 });
    await local.advance(900_000);
    expect(await polling).toHaveLength(1);
  });

  it('moves a message to the dead-letter queue and states its source', async () => {
    const resources = { Queue: queue({ VisibilityTimeout: 1, ...redrive('Dead', 2) }), Dead: queue() };
    const local = await start({ ...API, functions: NOTHING, resources });
    const [url, dead] = [await urlOf('Queue'), await urlOf('Dead')];
    await send(url, 'poison');
    for (let round = 0; round < 3; round++) {
      await receive(url);
      await local.advance(2000);
    }
    const [message] = await receive(dead);
    expect(message).toMatchObject({
      Body: 'poison',
      Attributes: { DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:000000000000:Fixture-Queue' },
    });
  });

  it('deletes messages at the end of the retention period', async () => {
    const resources = { Queue: queue({ MessageRetentionPeriod: 86_400 }) };
    const local = await start({ ...API, functions: NOTHING, resources });
    const url = await urlOf('Queue');
    await send(url, 'old');
    await local.advance(DAY_MS - 60_000);
    await send(url, 'new');
    await local.advance(120_000);
    expect((await receive(url, { max: 10 })).map(({ Body: body }) => body)).toEqual(['new']);
  });

  it('accepts batches, and refuses what SQS refuses in its own words', async () => {
    await start({ ...API, functions: NOTHING, resources: { Queue: queue() } });
    const url = await urlOf('Queue');
    const entries = ['a', 'b', 'c'].map((body) => ({ Id: body, MessageBody: body }));
    await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
    expect(await receive(url, { max: 10 })).toHaveLength(3);
    await expect(receive(url, { max: 11 })).rejects.toThrow('Must be between 1 and 10');
    await expect(receive(url, { wait: 21 })).rejects.toThrow('WaitTimeSeconds is invalid');
    await expect(send(`${url}-not`, 'x')).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
    const attributes = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessagesNotVisible'] }),
    );
    expect(attributes.Attributes).toEqual({ ApproximateNumberOfMessagesNotVisible: '3' });
  });

  it('lists the queues that the app names in outputs', async () => {
    const outputs = { Jobs: { Value: { Ref: 'Queue' }, Description: 'jobs' }, Other: { Value: 'https://example.com' } };
    const local = await start({ ...API, functions: NOTHING, resources: { Queue: queue() }, outputs });
    expect(local.description.queues).toEqual({ jobs: await urlOf('Queue') });
  });
});

/** Appends each batch to the queue `Out`, and does what the bodies say. */
const WORKER = `
  import { request } from 'node:http';
  import { setTimeout as pause } from 'node:timers/promises';
  const call = (target, body) => new Promise((resolve, reject) => {
    const url = new URL(process.env.AWS_ENDPOINT_URL);
    const req = request({ host: url.hostname, port: url.port, method: 'POST', headers: {
      'x-amz-target': 'AmazonSQS.' + target, 'content-type': 'application/x-amz-json-1.0',
      authorization: 'AWS4-HMAC-SHA256 Credential=' + process.env.AWS_ACCESS_KEY_ID + '/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0',
    } }, (res) => { res.resume(); res.on('end', () => resolve(res.statusCode)); });
    req.on('error', reject);
    req.end(JSON.stringify(body));
  });
  export const handler = async (event) => {
    const bodies = event.Records.map((record) => record.body);
    const counts = event.Records.map((record) => record.attributes.ApproximateReceiveCount);
    const status = await call('SendMessage', { QueueUrl: process.env.OUT, MessageBody: JSON.stringify({ bodies, counts, now: Date.now() }) });
    if (status !== 200) throw new Error('status ' + status);
    if (bodies.includes('slow')) await pause(300);
    if (bodies.includes('crash')) process.kill(process.pid, 'SIGKILL');
    if (bodies.includes('nonsense')) return { batchItemFailures: [{ itemIdentifier: 'no such' }] };
    return { batchItemFailures: event.Records.filter((r) => r.body.startsWith('fail')).map((r) => ({ itemIdentifier: r.messageId })) };
  };`;

function worker(mapping: Record<string, unknown> = {}, statements?: readonly unknown[]): FixtureApp {
  const all = { Effect: 'Allow', Action: 'sqs:*', Resource: '*' };
  return {
    ...API,
    functions: {
      ...NOTHING,
      Worker: {
        code: WORKER,
        statements: statements ?? [all],
        properties: { Environment: { Variables: { OUT: { Ref: 'Out' } } }, Timeout: 10 },
      },
    },
    resources: {
      Queue: queue({ VisibilityTimeout: 60, ...redrive('Dead', 3) }),
      Dead: queue(),
      Out: queue({ VisibilityTimeout: 0 }),
      Mapping: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: {
          FunctionName: { Ref: 'Worker' },
          EventSourceArn: { 'Fn::GetAtt': ['Queue', 'Arn'] },
          BatchSize: 10,
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          ...mapping,
        },
      },
    },
  };
}

interface Seen {
  readonly bodies: readonly string[];
  readonly counts: readonly string[];
  readonly now: number;
}

/** Waits for the next batches that the worker saw. */
async function seen(count: number): Promise<Seen[]> {
  const url = await urlOf('Out');
  const found: Seen[] = [];
  while (found.length < count) {
    for (const { Body: body = '', ReceiptHandle: handle } of await receive(url, { wait: 20, max: 10 })) {
      await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: handle }));
      found.push(JSON.parse(body) as Seen);
    }
  }
  return found;
}

function isIdle({ queues }: LocalStack): true | undefined {
  const { waiting = 0, inFlight = 0 } = queues.depths().get('Fixture-Queue') ?? {};
  return waiting + inFlight === 0 ? true : undefined;
}

describe('the activity of queues', () => {
  it('reports each message as it is sent, received, deleted or moved to the dead-letter queue', async () => {
    const local = await start({
      ...API,
      functions: NOTHING,
      resources: { Queue: queue(redrive('Dead', 1)), Dead: queue() },
    });
    const recorder = new ActivityRecorder(local.activity);
    const url = await urlOf('Queue');
    await send(url, 'handled');
    const [handled] = await receive(url);
    await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: handled?.ReceiptHandle }));
    await send(url, 'not handled');
    const [lost] = await receive(url);
    await local.advance(61_000);
    await receive(url);
    const deadLetter = await recorder.first('message.dead-lettered');
    const [name, deadName] = ['Fixture-Queue', 'Fixture-Dead'];
    const [handledId, lostId] = [handled?.MessageId, lost?.MessageId];
    expect(recorder.events.map(({ atMs: _, ...event }) => event)).toEqual([
      { type: 'message.sent', queue: name, messageId: handledId },
      { type: 'message.received', queue: name, messageId: handledId },
      { type: 'message.deleted', queue: name, messageId: handledId },
      { type: 'message.sent', queue: name, messageId: lostId },
      { type: 'message.received', queue: name, messageId: lostId },
      { type: 'message.dead-lettered', queue: name, deadLetterQueue: deadName, messageId: lostId },
    ]);
    // At the local time, which the queues give to their library as well.
    expect(Math.abs(deadLetter.atMs - local.now())).toBeLessThan(60_000);
  });
});

describe('event source mappings of local mode', () => {
  it('pass batches to a function, and delete the messages that it has handled', async () => {
    const local = await start(worker());
    const entries = ['a', 'b', 'c'].map((body) => ({ Id: body, MessageBody: body }));
    await client.send(new SendMessageBatchCommand({ QueueUrl: await urlOf('Queue'), Entries: entries }));
    expect((await seen(1))[0]?.bodies.toSorted()).toEqual(['a', 'b', 'c']);
    await until(() => isIdle(local));
  });

  it('collect messages for the time of the window', async () => {
    await start(worker({ MaximumBatchingWindowInSeconds: 1 }));
    const url = await urlOf('Queue');
    for (const body of ['a', 'b', 'c']) await send(url, body);
    expect((await seen(1))[0]?.bodies.toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('keep the messages that the function reports, and move them to the dead-letter queue in the end', async () => {
    const local = await start(worker());
    const url = await urlOf('Queue');
    await client.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: [
          { Id: 'a', MessageBody: 'good' },
          { Id: 'b', MessageBody: 'fail' },
        ],
      }),
    );
    await seen(1);
    for (const count of ['2', '3']) {
      await until(() => (local.isBusy() ? undefined : true));
      await local.advance(61_000);
      expect(await seen(1)).toMatchObject([{ bodies: ['fail'], counts: [count] }]);
    }
    await until(() => (local.isBusy() ? undefined : true));
    await local.advance(61_000);
    const [dead] = await receive(await urlOf('Dead'), { wait: 20 });
    expect(dead?.Body).toBe('fail');
  });

  it.each(['crash', 'nonsense'])('keep all messages of a batch whose function ends with %s', async (body) => {
    const local = await start(worker());
    await send(await urlOf('Queue'), body);
    await seen(1);
    await until(() => (local.isBusy() ? undefined : true));
    expect(local.queues.depths().get('Fixture-Queue')?.inFlight).toBe(1);
  });

  it('run as many concurrent invocations as the mapping allows', async () => {
    const local = await start(worker({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } }));
    const url = await urlOf('Queue');
    for (let index = 0; index < 4; index++) await send(url, 'slow');
    await seen(4);
    expect(local.lambda.pids.length).toBeLessThanOrEqual(2);
  });

  it('pass the advanced time to functions', async () => {
    const local = await start(worker());
    await local.advance(3 * DAY_MS);
    await send(await urlOf('Queue'), 'when');
    const [batch] = await seen(1);
    expect(Math.abs((batch?.now ?? 0) - Date.now() - 3 * DAY_MS)).toBeLessThan(60_000);
  });

  it('deliver twice when a fault says so', async () => {
    let left = 1;
    const local = await start(worker(), { onDelivery: () => ({ isRepeated: left-- > 0, delayMs: 1 }) });
    await send(await urlOf('Queue'), 'slow');
    expect((await seen(2)).map(({ counts }) => counts).toSorted()).toEqual([['1'], ['2']]);
    await until(() => isIdle(local));
  });

  it.each([
    ['fail', 0],
    ['fail-after', 1],
    ['kill', 0],
    ['kill-after', 1],
    ['stall', 0],
  ] as const)('let a call of a function %s, which sends %i messages', async (fault, sent) => {
    let left = 1;
    const local = await start(worker(), {
      onCall: ({ action }) => (action === 'sqs:SendMessage' && left-- > 0 ? fault : undefined),
    });
    await send(await urlOf('Queue'), 'x');
    await until(() =>
      local.queues.depths().get('Fixture-Queue')?.inFlight === 1 && !local.isBusy() ? true : undefined,
    );
    expect(local.queues.depths().get('Fixture-Out')?.waiting).toBe(sent);
    await local.advance(61_000);
    await until(() => isIdle(local));
  });

  it('fail with TEMPLATE_INVALID when the role of the function may not poll the queue', async () => {
    const only = { Effect: 'Allow', Action: ['sqs:SendMessage', 'sqs:ReceiveMessage'], Resource: '*' };
    await expect(start(worker({}, [only]))).rejects.toThrow(
      'the role of its function does not allow sqs:DeleteMessage',
    );
  });
});
