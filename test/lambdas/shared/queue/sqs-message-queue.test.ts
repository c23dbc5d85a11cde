import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openSqsMessageQueue } from '../../../../lambdas/shared/queue/sqs-message-queue.ts';
import { type QueuesAndBuckets, startQueuesAndBuckets } from '../jobs/job-servers.ts';
import { reply, startServer } from '../results/dynamodb-server.ts';

const MESSAGE = { owner: 'acme' };

let servers: QueuesAndBuckets;

beforeAll(async () => {
  servers = await startQueuesAndBuckets();
});

afterAll(() => servers.close());

async function openQueue(name: string) {
  const url = await servers.createQueue(name);
  return { url, queue: openSqsMessageQueue({ client: servers.sqs, url }) };
}

/** Everything that is visible in a queue. */
async function drain(url: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (;;) {
    const messages = await servers.receive(url);
    if (messages.length === 0) return found;
    found.push(...messages.map(({ Body: body }) => JSON.parse(body ?? '')));
  }
}

/** A server that refuses some entries of each batch, and what it was sent. */
async function startRefusing(refuses: (attempt: number, id: string) => object | undefined) {
  const attempts: string[][] = [];
  const server = await startServer((_, input, response) => {
    const ids = (input['Entries'] as { Id: string }[]).map(({ Id: id }) => id);
    attempts.push(ids);
    const failed = ids.flatMap((id) => {
      const refusal = refuses(attempts.length, id);
      return refusal === undefined ? [] : [{ Id: id, ...refusal }];
    });
    const taken = ids.filter((id) => !failed.some(({ Id }) => Id === id));
    reply(response, 200, { Successful: taken.map((id) => ({ Id: id, MessageId: id })), Failed: failed });
  });
  const client = new SQSClient({ ...server.client, md5: false });
  const queue = openSqsMessageQueue({ client, url: `${server.client.endpoint}/0/q` });
  return { attempts, queue, close: async () => [client.destroy(), await server.close()] };
}

describe('openSqsMessageQueue', () => {
  it('sends a message as JSON', async () => {
    const { url, queue } = await openQueue('one');
    await queue.send({ owner: 'acme', text: 'ü 漢 🙂' });
    expect(await drain(url)).toEqual([{ owner: 'acme', text: 'ü 漢 🙂' }]);
  });

  it('sends code points that SQS refuses unescaped', async () => {
    const { url, queue } = await openQueue('code-points');
    const message = { owner: 'acme', text: 'a\uFFFEb\uFFFFc\u0000d\uD800e' };
    await queue.send(message);
    await queue.sendAll([message]);
    const bodies = (await servers.receive(url)).map(({ Body: body }) => body ?? '');
    expect(bodies).toHaveLength(2);
    for (const body of bodies) {
      expect(body).not.toMatch(/[\uFFFE\uFFFF\p{Cs}]/u);
      expect(JSON.parse(body)).toEqual(message);
    }
  });

  it('delays a message', async () => {
    const { url, queue } = await openQueue('delayed');
    await queue.send({ owner: 'acme' }, { delaySeconds: 900 });
    expect(await drain(url)).toEqual([]);
  });

  it('sends many messages, each once', async () => {
    const { url, queue } = await openQueue('many');
    const messages = Array.from({ length: 43 }, (_, index) => ({ owner: 'acme', index }));
    await queue.sendAll(messages);
    const numbers = (await drain(url)).map((message) => (message as { index: number }).index);
    expect(numbers.sort((a, b) => a - b)).toEqual(messages.map(({ index }) => index));
    await queue.sendAll([]);
  });

  it('keeps batches within the maximum bytes of SQS', async () => {
    const { url, queue } = await openQueue('large');
    await queue.sendAll(Array.from({ length: 12 }, () => ({ owner: 'acme', text: 'x'.repeat(190 * 1024) })));
    expect(await drain(url)).toHaveLength(12);
  });

  it('sends again only the messages that SQS did not accept', async () => {
    const refusal = { Code: 'InternalError', SenderFault: false };
    const { attempts, queue, close } = await startRefusing((attempt, id) =>
      attempt <= 2 && Number(id) >= attempt ? refusal : undefined,
    );
    await queue.sendAll([MESSAGE, MESSAGE, MESSAGE]);
    expect(attempts).toEqual([['0', '1', '2'], ['1', '2'], ['2']]);
    await close();
  });

  it.each([
    ['UNAVAILABLE', 'refuses a message at every attempt', { Code: 'InternalError', SenderFault: false }, 4],
    ['UNAVAILABLE', 'may not use its key', { Code: 'KmsAccessDenied', SenderFault: true }, 1],
    ['INTERNAL', 'refuses a message as invalid', { Code: 'InvalidMessageContents', SenderFault: true }, 1],
  ])('fails with %s when SQS %s', async (code, _, refusal, expected) => {
    const { attempts, queue, close } = await startRefusing((_attempt, id) => (id === '1' ? refusal : undefined));
    await expect(queue.sendAll([MESSAGE, MESSAGE])).rejects.toMatchObject({ code });
    expect(attempts).toHaveLength(expected);
    await close();
  });

  it('fails with UNAVAILABLE if the queue does not exist', async () => {
    const queue = openSqsMessageQueue({ client: servers.sqs, url: `${servers.url}/000000000000/none` });
    await expect(queue.send(MESSAGE)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
