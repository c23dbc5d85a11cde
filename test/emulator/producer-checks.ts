import { deepStrictEqual as equal } from 'node:assert/strict';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { until } from './deployed-api.ts';
import { type Emulator, REGION } from './emulator.ts';
import { JOB } from './job-checks.ts';
import type { Report } from './report.ts';

/** Queues of a deployment, as its producers and consumers see them. */
export class Queues {
  readonly #outputs: Readonly<Record<string, string>>;
  readonly #client: SQSClient;

  /** @param outputs - Outputs of the stack of jobs. */
  constructor(outputs: Readonly<Record<string, string>>, { url }: Emulator) {
    this.#outputs = outputs;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    this.#client = new SQSClient({ endpoint: url, region: REGION, credentials });
  }

  /** Sends an event to the queue of producers. */
  async send(event: object): Promise<void> {
    const QueueUrl = this.#outputs['QueueUrlJobs'];
    await this.#client.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(event) }));
  }

  /** Receives the next event on the reply queue `results`, and deletes it. */
  receiveReply(): Promise<{ readonly type: string }> {
    const QueueUrl = this.#outputs['QueueUrlReplyResults'];
    return until(async () => {
      const { Messages: [message] = [] } = await this.#client.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 2 }),
      );
      if (message === undefined) return undefined;
      await this.#client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      return JSON.parse(message.Body ?? '') as { readonly type: string };
    });
  }
}

/** Checks jobs that arrive on a queue. */
export async function checkProducers(queues: Queues, report: Report): Promise<void> {
  await report.check('a producer sends a job to a queue, and its result arrives on a reply queue', async () => {
    const data = { ...JOB, reply_queue: 'results' };
    await queues.send({ specversion: '1.0', id: 'order-1', source: '/shop', type: 'tensorgate.job.v1', data });
    equal((await queues.receiveReply()).type, 'tensorgate.job.succeeded.v1');
  });
}
