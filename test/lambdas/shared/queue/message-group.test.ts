import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { redriveDeadLetters } from '../../../../cli/redrive-dead-letters.ts';
import { openDeadLetters } from '../../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsMessageQueue, sendText } from '../../../../lambdas/shared/queue/sqs-message-queue.ts';
import { openSqsWorkQueue } from '../../../../lambdas/shared/queue/sqs-work-queue.ts';
import { reply, startServer, type TestServer } from '../results/dynamodb-server.ts';

const ROOT = join(import.meta.dirname, '../../../..');

let server: TestServer;
let client: SQSClient;
let url: string;
/** Groups of the messages that were sent. */
let groups: unknown[] = [];
let deadLetters: object[] = [];

beforeAll(async () => {
  server = await startServer((operation, input, response) => {
    if (operation === 'ReceiveMessage') return reply(response, 200, { Messages: deadLetters.splice(0) });
    if (operation === 'DeleteMessage') return reply(response, 200, {});
    const entries = (input['Entries'] ?? [input]) as { Id: string; MessageGroupId?: string }[];
    groups.push(...entries.map(({ MessageGroupId }) => MessageGroupId));
    const Successful = entries.map(({ Id }) => ({ Id, MessageId: 'm' }));
    return reply(response, 200, operation === 'SendMessage' ? { MessageId: 'm' } : { Successful, Failed: [] });
  });
  client = new SQSClient({ ...server.client, md5: false });
  url = `${server.client.endpoint}/0/q`;
});

beforeEach(() => {
  groups = [];
});

afterAll(async () => {
  client.destroy();
  await server.close();
});

const RECEIVED = { body: '{"owner":"other"}', messageAttributes: {}, attributes: { MessageGroupId: 'acme' } } as never;
const OF_OLD = { body: '{"owner":"acme"}', messageAttributes: {}, attributes: {} } as never;
const REASON = { code: 'INTERNAL', message: 'broken', sourceQueue: undefined } as const;

describe('message groups', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['a message', () => openSqsMessageQueue({ client, url }).send({ owner: 'acme' })],
    ['one of many messages', () => openSqsMessageQueue({ client, url }).sendAll([{ owner: 'acme' }])],
    ['a reply', () => sendText(client, url, '{}', 'acme')],
    ['a copy of a message', () => openSqsWorkQueue(client, url).sendCopy(RECEIVED, {})],
    ['a copy of a message from an earlier version', () => openSqsWorkQueue(client, url).sendCopy(OF_OLD, {})],
    ['a dead letter', () => openDeadLetters(client, url).add(RECEIVED, REASON)],
    ['a dead letter from an earlier version', () => openDeadLetters(client, url).add(OF_OLD, REASON)],
  ])('%s is in the group of its tenant', async (_, send) => {
    await send();
    expect(groups).toEqual(['acme']);
  });

  it.each([
    ['its own group', { MessageGroupId: 'acme' }],
    ['the group of the tenant in its body', {}],
  ])('a redriven dead letter is in %s', async (_, Attributes) => {
    const MessageAttributes = { sourceQueue: { DataType: 'String', StringValue: url } };
    deadLetters = [{ MessageId: 'm', ReceiptHandle: 'r', Body: '{"owner":"acme"}', Attributes, MessageAttributes }];
    await redriveDeadLetters(client, { queueUrl: url, redriveId: 'r', limit: 1, dryRun: false });
    expect(groups).toEqual(['acme']);
  });

  it('messages of several tenants have separate groups in one batch', async () => {
    await openSqsMessageQueue({ client, url }).sendAll([{ owner: 'acme' }, { owner: 'zeta' }]);
    expect(groups).toEqual(['acme', 'zeta']);
  });
});

it('no file sends a message without a group', () => {
  const SENDS = /new SendMessage(?:Batch)?Command\(/g;
  const sources = globSync('{cli,lambdas}/**/*.ts', { cwd: ROOT }).map((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return { file, sends: text.match(SENDS)?.length ?? 0, groups: text.match(/\bMessageGroupId: /g)?.length ?? 0 };
  });
  const senders = sources.filter(({ sends }) => sends > 0);
  expect(senders.length).toBeGreaterThan(3);
  expect(senders.filter(({ sends, groups: grouped }) => grouped < sends)).toEqual([]);
});
