import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { Webhook } from 'standardwebhooks';
import type { DeliveryMessage } from '../../../core/webhooks/delivery-message.ts';
import { MAX_FAILURES, patientLimits, QUICK_LIMIT_MS } from '../../../core/webhooks/endpoint-health.ts';
import { receiverOf } from '../../../core/webhooks/webhook-url.ts';
import { createHandler, type DeliverWebhooksDeps } from '../../../lambdas/deliver-webhooks/handler.ts';
import { createPost } from '../../../lambdas/deliver-webhooks/post-webhook.ts';
import { toItem } from '../../../lambdas/shared/aws/attribute-value.ts';
import { openSubscriptionStore } from '../../../lambdas/shared/notifications/subscription-store.ts';
import { openWebhookStore } from '../../../lambdas/shared/notifications/webhook-store.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
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
import { withoutPauses } from '../shared/jobs/jobs-harness.ts';

const OWNER = 'key1';
const SUBJECT = { object: 'job', id: 'job_1' } as const;
const BODY = '{"type":"job.succeeded","data":{"id":"job_1"}}';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server with configurable responses that records its requests. */
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
let deadLetters: string;
let deps: DeliverWebhooksDeps;
let receiver: Receiver;
let url: string;
let lines: Record<string, unknown>[];
let queues = 0;

const post = createPost({ allowLoopback: true, resolve: async () => [] });

beforeEach(async () => {
  [tables, servers] = await Promise.all([startTables(), startQueuesAndBuckets()]);
  clock = movableClock();
  // Fauxqs has the machine's time: a delayed message is received immediately from a queue whose delays are short.
  queue = await servers.createQueue(`webhooks-${queues++}`, { VisibilityTimeout: '0' });
  deadLetters = await servers.createQueue(`dead-${queues}`);
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
    consumed: withoutPauses(openSqsWorkQueue(servers.sqs, queue), []),
    deadLetters: openDeadLetters(servers.sqs, deadLetters),
    // The longest attempts take too long for a test.
    post: (request) => post({ ...request, limitMs: request.limitMs === QUICK_LIMIT_MS ? 500 : 1000 }),
    limits: patientLimits(40),
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
  const { batchItemFailures } = await createHandler({ ...deps, queue: recording })(
    eventOf(...messages),
    lambdaContext(),
  );
  failures = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  return sent;
}

function eventOf(...messages: readonly (DeliveryMessage | string)[]): SQSEvent {
  const records = messages.map((one, index) => ({
    MessageId: `m${index}`,
    ReceiptHandle: `r${index}`,
    MD5OfBody: '',
    Body: typeof one === 'string' ? one : JSON.stringify(one),
    Attributes: { ApproximateReceiveCount: '1' },
  })) satisfies ReceivedMessage[];
  return JSON.parse(sqsEvent(records, 'arn:aws:sqs:us-east-1:000000000000:webhooks')) as SQSEvent;
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
    clock.nowMs += 5 * 60_000;
    await deps.webhooks.rotate(OWNER);
    expect(await deps.webhooks.secrets(OWNER)).toHaveLength(2);
    clock.nowMs += 25 * 3_600_000;
    expect(await deps.webhooks.secrets(OWNER)).toHaveLength(1);
  });

  it('carries the signature of the secret that receivers know, even if the rotation was repeated', async () => {
    const [known] = await deps.webhooks.secrets(OWNER);
    const rotated = await deps.webhooks.rotate(OWNER);
    clock.nowMs += 5 * 60_000 - 1;
    expect(await deps.webhooks.rotate(OWNER)).toEqual(rotated);
    expect(rotated.map(({ secret }) => secret)).toContain(known?.secret);
  });

  it('is not repeated once it has succeeded, unless its owner requests it', async () => {
    await handle(message());
    await handle(message());
    expect(receiver.got).toHaveLength(1);
    await handle(message({ isRedelivery: true }));
    expect(receiver.got).toHaveLength(2);
  });

  it('takes one write, of its record, if its receiver is quick', async () => {
    await handle(message());
    const before = tables.server.operations.length;
    await handle(message({ id: 'dlv_2', subject: { object: 'job', id: 'job_2' } }));
    const reads = Array(4).fill('GetItem');
    expect(tables.server.operations.slice(before)).toEqual([...reads, 'UpdateItem']);
  });

  it('resets the health of a receiver that failed before if it succeeds', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    await handle(message());
    expect(await deps.webhooks.health(OWNER, receiverOf(url))).toMatchObject({ failures: 1 });
    receiver.answer = (_, response) => void response.writeHead(204).end();
    await handle(message({ id: 'dlv_2', subject: { object: 'job', id: 'job_2' } }));
    expect(await deps.webhooks.health(OWNER, receiverOf(url))).toMatchObject({ failures: 0 });
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

  it('is dropped if its job was deleted since, and delivers the events of a new job with the id', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    const [retry] = await handle(message());
    if (retry === undefined) throw new Error('the delivery is not retried');
    receiver.answer = (_, response) => void response.writeHead(204).end();
    clock.nowMs += 1000;
    await deps.webhooks.forget(OWNER, SUBJECT, clock.nowMs);
    clock.nowMs = retry.notBeforeMs;
    for (const late of [retry, message({ id: 'dlv_late', firstAtMs: clock.nowMs - 10_000 })]) {
      expect(await handle(late)).toEqual([]);
      expect(lines.at(-1)).toMatchObject({ outcome: 'discarded' });
    }
    expect(receiver.got).toHaveLength(1);
    expect(await deliveries()).toEqual([]);
    await handle(message({ id: 'dlv_new' }));
    expect(receiver.got).toHaveLength(2);
    expect(await deliveries()).toMatchObject([{ id: 'dlv_new', status: 'delivered' }]);
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

  it('is not recorded before the message of the next attempt is sent: without it nothing would try again', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    const { queue: working } = deps;
    deps = { ...deps, queue: { ...working, send: () => Promise.reject(new Error('no connection')) } };
    // The harness records what is sent, so the failing queue is given to the function itself.
    const { batchItemFailures } = await createHandler(deps)(eventOf(message()), lambdaContext());
    expect(batchItemFailures).toHaveLength(1);
    expect((await deliveries()).flatMap(({ attempts }) => attempts)).toEqual([]);
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

  it('succeeds for a response of any size', async () => {
    receiver.answer = (_, response) => {
      response.writeHead(200);
      response.end(Buffer.alloc(10_000_000, 'x'));
    };
    await handle(message());
    expect(await deliveries()).toMatchObject([{ status: 'delivered' }]);
  });

  it('connects only to the address that was checked, and never to a private one', async () => {
    const strict = createPost({ allowLoopback: false, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    const request = { headers: {}, body: BODY, limitMs: 1000 };
    await expect(strict({ ...request, url: 'https://hooks.example.com/' })).rejects.toMatchObject({
      code: 'INVALID_WEBHOOK_URL',
    });
    await expect(strict({ ...request, url })).rejects.toMatchObject({ code: 'INVALID_WEBHOOK_URL' });
    expect(receiver.got).toHaveLength(0);
  });

  it('does not delay the others if its receiver hangs', async () => {
    const quick = new Receiver();
    const quickUrl = await quick.listen();
    receiver.answer = () => undefined;
    await handle(message(), message({ id: 'dlv_2', url: quickUrl, subject: { object: 'job', id: 'job_2' } }));
    expect(quick.got).toHaveLength(1);
    await quick.close();
  });

  it('moves to the dead letters with the reason at its first receive if it is invalid', async () => {
    await handle('nonsense', message());
    expect(failures).toEqual([]);
    expect(receiver.got).toHaveLength(1);
    expect(lines).toContainEqual(expect.objectContaining({ outcome: 'invalid', messageId: 'm0', WebhookErrors: 1 }));
    const [letter] = await servers.receive(deadLetters);
    expect(letter?.Body).toBe('nonsense');
    expect(letter?.MessageAttributes).toMatchObject({
      errorCode: { StringValue: 'INVALID_BODY' },
      sourceQueue: { StringValue: queue },
    });
  });

  it('is retried if it is invalid and the dead-letter queue is unavailable', async () => {
    deps.deadLetters.add = () => Promise.reject(new Error('no connection'));
    await handle('nonsense');
    expect(failures).toEqual(['m0']);
    expect(lines.at(-1)).toMatchObject({ outcome: 'will be retried' });
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
    expect(await deps.webhooks.health(OWNER, receiverOf(url))).toMatchObject({ failures: 0, openUntilMs: 0 });
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

/** Messages of different deliveries. */
function messages(count: number, more: (index: number) => Partial<DeliveryMessage> = () => ({})): DeliveryMessage[] {
  return Array.from({ length: count }, (_, index) =>
    message({ id: `dlv_m${index}`, subject: { object: 'job', id: `job_m${index}` }, ...more(index) }),
  );
}

describe('a receiver that is not known to be quick', () => {
  it('gets two attempts at a time, and its other deliveries wait without holding anything up', async () => {
    receiver.answer = () => undefined;
    const sent = await handle(...messages(10));
    expect(receiver.got).toHaveLength(2);
    const waiting = sent.filter(({ waits }) => waits === 1);
    expect(waiting).toHaveLength(8);
    expect(new Set(waiting.map(({ attempt, notBeforeMs }) => `${attempt} ${notBeforeMs - clock.nowMs}`))).toEqual(
      new Set(['0 2000']),
    );
    expect((await deps.webhooks.deliveries(OWNER, waiting[0]?.subject ?? SUBJECT))[0]).toMatchObject({
      status: 'pending',
      attempts: [],
      nextAttemptMs: clock.nowMs + 2000,
    });
  });

  it('gets one attempt after the other as soon as each has ended', async () => {
    const sent = await handle(...messages(4));
    expect(receiver.got).toHaveLength(2);
    clock.nowMs += 2000;
    expect(await handle(...sent)).toEqual([]);
    expect(receiver.got).toHaveLength(4);
  });

  it.each([
    [
      'the attempts of its tenant with all hosts of the tenant',
      (index: number) => ({ owner: OWNER, host: `h${index}` }),
      4,
    ],
    ['half of all invocations with all tenants', (index: number) => ({ owner: `t${index}`, host: 'h' }), 20],
  ])('shares %s', async (_, of, expected) => {
    const reservations = [];
    for (let index = 0; index < 30; index++) {
      const { owner, host } = of(index);
      reservations.push(await deps.webhooks.reserve(owner, host, { limits: deps.limits, holdMs: 15_000 }));
    }
    expect(reservations.filter((one) => one !== undefined)).toHaveLength(expected);
    await Promise.all(reservations.map((one) => one?.release(15_000)));
    expect(await deps.webhooks.reserve(OWNER, 'another', { limits: deps.limits, holdMs: 15_000 })).toBeDefined();
  });

  it('releases the slot of a killed function once its time has passed', async () => {
    const reserve = () =>
      deps.webhooks.reserve(OWNER, 'h', { limits: { ofReceiver: 2, ofTenant: 4, ofAll: 20 }, holdMs: 15_000 });
    expect([await reserve(), await reserve(), await reserve()].map((one) => one !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
    clock.nowMs += 7500;
    expect([await reserve(), await reserve()].map((one) => one !== undefined)).toEqual([true, false]);
    clock.nowMs += 15_000;
    expect([await reserve(), await reserve(), await reserve()].map((one) => one !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('takes no slot of its tenant while its own slots are taken', async () => {
    const reserve = (host: string) =>
      deps.webhooks.reserve(OWNER, host, { limits: { ofReceiver: 1, ofTenant: 2, ofAll: 20 }, holdMs: 15_000 });
    await reserve('slow');
    for (let attempt = 0; attempt < 5; attempt++) expect(await reserve('slow')).toBeUndefined();
    expect(await reserve('other')).toBeDefined();
  });
});

describe('a receiver that was quick and is not any more', () => {
  beforeEach(async () => {
    await handle(message({ id: 'dlv_0', subject: { object: 'job', id: 'job_0' } }));
    receiver.answer = () => undefined;
  });

  it('is called again and given more time, which does not count as another attempt', async () => {
    const [next] = await handle(message());
    expect(next).toMatchObject({ attempt: 0, isPatient: true, notBeforeMs: clock.nowMs });
    expect(await deliveries()).toMatchObject([
      { status: 'pending', attempts: [{ error: expect.stringMatching(/longer/) }] },
    ]);
    receiver.answer = (_, response) => void setTimeout(() => response.writeHead(204).end(), 600);
    expect(await handle(next ?? message())).toEqual([]);
    expect(await deliveries()).toMatchObject([{ status: 'delivered', attempts: [{}, { status: 204 }] }]);
  });

  it('lets its next deliveries wait for each other', async () => {
    await handle(message());
    const before = receiver.got.length;
    clock.nowMs += 1000;
    const sent = await handle(...messages(10));
    expect(receiver.got).toHaveLength(before + 2);
    expect(sent.filter(({ waits }) => waits === 1)).toHaveLength(8);
  });
});

describe('what is known of a receiver', () => {
  it('holds every failure, however many attempts end at the same moment', async () => {
    const failure = { failures: 0, openUntilMs: 0 };
    await Promise.all(
      Array.from({ length: 4 }, () =>
        deps.webhooks.changeHealth(OWNER, 'h', (health) => ({ ...health, failures: health.failures + 1 }), failure),
      ),
    );
    expect(await deps.webhooks.health(OWNER, 'h')).toMatchObject({ failures: 4 });
  });

  it('keeps that it returned 410, whatever else is recorded', async () => {
    await deps.webhooks.disable(OWNER, url);
    await deps.webhooks.changeHealth(OWNER, receiverOf(url), () => ({ failures: 0, openUntilMs: 0, meanMs: 5 }));
    await handle(message());
    expect(receiver.got).toHaveLength(0);
    expect(lines.at(-1)).toMatchObject({ outcome: 'discarded' });
  });

  it('is shared by all URLs of its host, except that one of them is gone', async () => {
    receiver.answer = (_, response) => void response.writeHead(410).end();
    await handle(message());
    receiver.answer = (_, response) => void response.writeHead(204).end();
    await handle(message({ id: 'dlv_2', url: `${url}/2`, subject: { object: 'job', id: 'job_2' } }));
    expect(receiver.got).toHaveLength(2);
    receiver.answer = (_, response) => void response.writeHead(500).end();
    for (const one of messages(MAX_FAILURES, (index) => ({ url: `${url}?${index}` }))) await handle(one);
    const calls = receiver.got.length;
    await handle(message({ id: 'dlv_3', url: `${url}/3` }));
    expect(receiver.got).toHaveLength(calls);
  });
});

it('a URL is called in any notation', async () => {
  await handle(message({ url: ` ${url.replace('http:', 'HTTP:')}` }));
  expect(receiver.got).toHaveLength(1);
  expect(await deliveries()).toMatchObject([{ status: 'delivered' }]);
});
