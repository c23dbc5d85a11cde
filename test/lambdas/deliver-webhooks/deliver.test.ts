import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { Webhook } from 'standardwebhooks';
import type { DeliveryMessage } from '../../../core/webhooks/delivery-message.ts';
import { MAX_FAILURES } from '../../../core/webhooks/endpoint-health.ts';
import { createHandler, type DeliverWebhooksDeps } from '../../../lambdas/deliver-webhooks/handler.ts';
import { createPost } from '../../../lambdas/deliver-webhooks/post-webhook.ts';
import { toItem } from '../../../lambdas/shared/aws/attribute-value.ts';
import { openSubscriptionStore } from '../../../lambdas/shared/notifications/subscription-store.ts';
import { openWebhookStore } from '../../../lambdas/shared/notifications/webhook-store.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { sqsEvent } from '../../../local/services/lambda/sqs-event.ts';
import type { ReceivedMessage } from '../../../local/services/sqs/queue-engine.ts';
import { lambdaContext } from '../events.ts';
import {
  JOBS,
  type MovableClock,
  movableClock,
  type QueuesAndBuckets,
  startQueuesAndBuckets,
  startTables,
  type Tables,
  WEBHOOKS,
} from '../shared/jobs/job-servers.ts';

const OWNER = 'key1';
const SUBJECT = { object: 'job', id: 'job_1' } as const;
const BODY = '{"type":"job.succeeded","data":{"id":"job_1"}}';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers as it is told, and keeps what it got. */
class Receiver {
  answer: Answer = (_, response) => void response.writeHead(204).end();
  readonly got: { readonly headers: Record<string, string>; readonly body: string }[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.got.push({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() });
      this.answer(request, response);
    });
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

let tables: Tables;
let servers: QueuesAndBuckets;
let clock: MovableClock;
let queue: string;
let deps: DeliverWebhooksDeps;
let receiver: Receiver;
let url: string;
let lines: Record<string, unknown>[];
let queues = 0;

beforeEach(async () => {
  [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  clock = movableClock();
  // Fauxqs has the machine's time: what is delayed is taken at once by a queue that never hides anything for long.
  queue = await servers.createQueue(`webhooks-${queues++}`, { VisibilityTimeout: '0' });
  receiver = new Receiver();
  url = await receiver.listen();
  lines = [];
  let secrets = 0;
  deps = {
    webhooks: openWebhookStore({
      client: tables.client,
      table: WEBHOOKS,
      retentionDays: 7,
      clock,
      secretBytes: () => new Uint8Array(32).fill(++secrets),
    }),
    subscriptions: openSubscriptionStore(tables.client, JOBS),
    queue: openSqsMessageQueue({ client: servers.sqs, url: queue }),
    post: createPost({ allowLoopback: true, resolve: async () => [], limitMs: 500 }),
    clock,
    timer: () => performance.now(),
    random: () => 0,
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  };
});

afterEach(async () => {
  await receiver.close();
  await servers.close();
  await tables.close();
});

function message(more: Partial<DeliveryMessage> = {}): DeliveryMessage {
  const nowMs = clock.nowMs;
  return {
    v: 1,
    kind: 'delivery',
    owner: OWNER,
    id: 'dlv_1',
    url,
    subject: SUBJECT,
    body: BODY,
    attempt: 0,
    notBeforeMs: nowMs,
    firstAtMs: nowMs,
    ...more,
  };
}

/** Gives messages to the function; answers the messages that it sent on. */
async function handle(...messages: (DeliveryMessage | string)[]): Promise<DeliveryMessage[]> {
  const sent: DeliveryMessage[] = [];
  const recording = {
    ...deps.queue,
    send: async (next: object) => void sent.push(next as DeliveryMessage),
  };
  const records = messages.map((one, index) => ({
    MessageId: `m${index}`,
    ReceiptHandle: `r${index}`,
    MD5OfBody: '',
    Body: typeof one === 'string' ? one : JSON.stringify(one),
    Attributes: { ApproximateReceiveCount: '1' },
  })) satisfies ReceivedMessage[];
  const event = JSON.parse(sqsEvent(records, 'arn:aws:sqs:us-east-1:000000000000:webhooks')) as SQSEvent;
  const { batchItemFailures } = await createHandler({ ...deps, queue: recording })(event, lambdaContext());
  failures = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  return sent;
}

let failures: string[] = [];

const deliveries = () => deps.webhooks.deliveries(OWNER, SUBJECT);

describe('a delivery', () => {
  it('is signed with the secret of its owner, and recorded', async () => {
    expect(await handle(message({ traceparent: '00-t' }))).toEqual([]);
    const [secret] = await deps.webhooks.secrets(OWNER);
    const [got] = receiver.got;
    expect(got?.headers).toMatchObject({
      'webhook-id': 'dlv_1',
      traceparent: '00-t',
      'content-type': 'application/json',
    });
    const { now } = Date;
    Date.now = () => clock.nowMs;
    expect(new Webhook(secret?.secret ?? '').verify(got?.body ?? '', got?.headers ?? {})).toEqual(JSON.parse(BODY));
    Date.now = now;
    expect(await deliveries()).toMatchObject([{ id: 'dlv_1', status: 'delivered', attempts: [{ status: 204 }] }]);
    expect(lines).toMatchObject([{ outcome: 'delivered', WebhooksDelivered: 1 }]);
  });

  it('carries the signatures of both secrets while they are rotated, and later that of the new one only', async () => {
    await deps.webhooks.secrets(OWNER);
    await deps.webhooks.rotate(OWNER);
    await handle(message());
    expect(receiver.got[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    await deps.webhooks.rotate(OWNER);
    expect(await deps.webhooks.secrets(OWNER)).toHaveLength(2);
    clock.nowMs += 25 * 3_600_000;
    expect(await deps.webhooks.secrets(OWNER)).toHaveLength(1);
  });

  it('that succeeded is not repeated, unless its owner requests it', async () => {
    await handle(message());
    await handle(message());
    expect(receiver.got).toHaveLength(1);
    await handle(message({ isRedelivery: true }));
    expect(receiver.got).toHaveLength(2);
  });

  it('that succeeds at the first attempt takes one write, of its record', async () => {
    await deps.webhooks.secrets(OWNER);
    const before = tables.server.operations.length;
    await handle(message());
    expect(tables.server.operations.slice(before)).toEqual(['GetItem', 'GetItem', 'GetItem', 'UpdateItem']);
  });

  it('that succeeds resets the health of a receiver that failed before', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    await handle(message());
    expect(await deps.webhooks.health(OWNER, url)).toMatchObject({ failures: 1 });
    receiver.answer = (_, response) => void response.writeHead(204).end();
    await handle(message({ id: 'dlv_2', subject: { object: 'job', id: 'job_2' } }));
    expect(await deps.webhooks.health(OWNER, url)).toMatchObject({ failures: 0 });
  });

  it('is listed with those that an earlier version recorded', async () => {
    const earlier = { id: 'dlv_0', url, body: BODY, status: 'delivered', attempts: [], createdAtMs: clock.nowMs };
    await tables.call('PutItem', {
      TableName: WEBHOOKS,
      Item: toItem({ pk: 'deliveries/key1/job/job_1', expiresAt: 1, list: { dlv_0: earlier } }),
    });
    await handle(message());
    expect((await deliveries()).map(({ id }) => id).sort()).toEqual(['dlv_0', 'dlv_1']);
    await deps.webhooks.putDelivery(OWNER, SUBJECT, { ...earlier, status: 'discarded' });
    expect((await deliveries()).find(({ id }) => id === 'dlv_0')).toMatchObject({ status: 'discarded' });
  });

  it('waits for its time without calling the receiver', async () => {
    const due = message({ notBeforeMs: clock.nowMs + 60_000 });
    expect(await handle(due)).toEqual([due]);
    expect(receiver.got).toHaveLength(0);
  });

  it('is retried by the schedule and fails after the last attempt', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    let [next]: (DeliveryMessage | undefined)[] = [message()];
    let [calls, rounds] = [0, 0];
    const startedMs = clock.nowMs;
    while (next !== undefined && rounds++ < 200) {
      clock.nowMs = Math.max(clock.nowMs, next.notBeforeMs);
      [next] = await handle(next);
    }
    calls = receiver.got.length;
    expect(calls).toBe(10);
    expect(clock.nowMs - startedMs).toBeGreaterThan(3 * 86_400_000);
    expect(await deliveries()).toMatchObject([{ status: 'failed' }]);
    expect(new Set(receiver.got.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
  });

  it("is retried at the time of the receiver's Retry-After", async () => {
    receiver.answer = (_, response) => void response.writeHead(503, { 'retry-after': '7200' }).end();
    const [next] = await handle(message());
    expect(next?.notBeforeMs).toBe(clock.nowMs + 7_200_000);
  });

  it('is discarded by a 410 response, which disables its webhook', async () => {
    receiver.answer = (_, response) => void response.writeHead(410).end();
    await deps.subscriptions.change(OWNER, () => [{ id: 'wh_1', url, events: [], createdAtMs: 0 }]);
    expect(await handle(message())).toEqual([]);
    expect(await deliveries()).toMatchObject([{ status: 'discarded' }]);
    expect(await deps.subscriptions.list(OWNER)).toMatchObject([{ disabledAtMs: clock.nowMs }]);
    expect(await handle(message({ id: 'dlv_2' }))).toEqual([]);
    expect(receiver.got).toHaveLength(1);
  });

  it.each([
    [
      'redirects are not followed',
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(302, { location: url }).end(),
    ],
    ['took longer than', () => undefined],
    ['cannot be reached', (request: IncomingMessage) => void request.socket.destroy()],
  ])('fails with a reason that contains: %s', async (words, answer) => {
    receiver.answer = answer;
    expect(await handle(message())).toHaveLength(1);
    expect(receiver.got).toHaveLength(1);
    expect((await deliveries())[0]?.attempts[0]?.error).toContain(words);
  });

  it('succeeds however large the response of the receiver is', async () => {
    receiver.answer = (_, response) => {
      response.writeHead(200);
      response.end(Buffer.alloc(10_000_000, 'x'));
    };
    await handle(message());
    expect(await deliveries()).toMatchObject([{ status: 'delivered' }]);
  });

  it('connects only to the address that was checked, and never to a private one', async () => {
    const post = createPost({ allowLoopback: false, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    await expect(post('https://hooks.example.com/', {}, BODY)).rejects.toMatchObject({ code: 'INVALID_WEBHOOK_URL' });
    await expect(post(url, {}, BODY)).rejects.toMatchObject({ code: 'INVALID_WEBHOOK_URL' });
    expect(receiver.got).toHaveLength(0);
  });

  it('to a receiver that hangs does not delay the others', async () => {
    const quick = new Receiver();
    const quickUrl = await quick.listen();
    receiver.answer = () => undefined;
    await handle(message(), message({ id: 'dlv_2', url: quickUrl, subject: { object: 'job', id: 'job_2' } }));
    expect(quick.got).toHaveLength(1);
    await quick.close();
  });

  it('that is invalid is retried, and SQS moves it to the dead letters', async () => {
    await handle('nonsense', message());
    expect(failures).toEqual(['m0']);
    expect(receiver.got).toHaveLength(1);
  });
});

describe('a receiver that failed several times in a row', () => {
  beforeEach(async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    for (let index = 0; index < MAX_FAILURES; index++) {
      await handle(message({ id: `dlv_${index}`, subject: { object: 'job', id: `job_${index}` } }));
    }
  });

  it('is not called for a while, and no attempt is counted', async () => {
    const calls = receiver.got.length;
    const [waiting] = await handle(message({ id: 'dlv_x' }));
    expect(receiver.got).toHaveLength(calls);
    expect(waiting).toMatchObject({ attempt: 0, notBeforeMs: clock.nowMs + 60_000 });
    clock.nowMs += 61_000;
    receiver.answer = (_, response) => void response.writeHead(200).end();
    expect(await handle(waiting ?? message())).toEqual([]);
    expect(await deps.webhooks.health(OWNER, url)).toEqual({ failures: 0, openUntilMs: 0 });
  });

  it('drops copies of a message whose next attempt was sent already', async () => {
    const first = message({ id: 'dlv_x' });
    const [waiting] = await handle(first);
    expect(await handle(first)).toEqual([]);
    expect(lines.at(-1)).toMatchObject({ outcome: 'repeated' });
    expect(waiting).toBeDefined();
  });

  it('fails a delivery that waited too long', async () => {
    const old = message({ id: 'dlv_old', firstAtMs: clock.nowMs - 7 * 86_400_000 });
    expect(await handle(old)).toEqual([]);
    expect((await deliveries()).find(({ id }) => id === 'dlv_old')?.status).toBe('failed');
  });
});
