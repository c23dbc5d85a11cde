import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SQSRecord } from 'aws-lambda';
import { type DeadLetters, openDeadLetters } from '../../../../lambdas/shared/queue/dead-letters.ts';
import { type QueuesAndBuckets, startQueuesAndBuckets } from '../jobs/job-servers.ts';

let servers: QueuesAndBuckets;
let queueUrl: string;
let letters: DeadLetters;

beforeAll(async () => {
  servers = await startQueuesAndBuckets();
  queueUrl = await servers.createQueue('dead');
  letters = openDeadLetters(servers.sqs, queueUrl);
});

afterAll(() => servers.close());

const REASON = { code: 'INVALID_EVENT', message: 'id is missing', sourceQueue: 'https://sqs/1/jobs' } as const;

async function add(message: string, attributes: SQSRecord['messageAttributes'] = {}, reason = {}) {
  await letters.add({ body: 'a body', messageAttributes: attributes }, { ...REASON, message, ...reason });
  const [letter] = await servers.receive(queueUrl);
  await servers.remove(queueUrl, letter?.ReceiptHandle ?? '');
  return letter;
}

describe('a dead letter', () => {
  it('names the reason and the queue for the redrive', async () => {
    expect(await add(REASON.message)).toMatchObject({
      Body: 'a body',
      MessageAttributes: {
        errorCode: { DataType: 'String', StringValue: 'INVALID_EVENT' },
        errorMessage: { StringValue: 'id is missing' },
        sourceQueue: { StringValue: 'https://sqs/1/jobs' },
      },
    });
  });

  it('names no queue for the redrive if it is unknown', async () => {
    const letter = await add('lost', {}, { sourceQueue: undefined });
    expect(Object.keys(letter?.MessageAttributes ?? {}).sort()).toEqual(['errorCode', 'errorMessage']);
  });

  it('is accepted whatever characters its reason holds', async () => {
    expect((await add('bell \u0007, half \ud800, end'))?.MessageAttributes?.['errorMessage']?.StringValue).toBe(
      'bell  , half  , end',
    );
    expect((await add(''))?.MessageAttributes?.['errorMessage']?.StringValue).toBe('INVALID_EVENT');
    expect((await add('x'.repeat(5000)))?.MessageAttributes?.['errorMessage']?.StringValue).toHaveLength(1024);
  });

  it('keeps as many attributes as a message may have, without those of an earlier reason', async () => {
    const own = Object.fromEntries(
      Array.from({ length: 10 }, (_, at) => [
        `a${at}`,
        { dataType: 'String', stringValue: String(at), stringListValues: [], binaryListValues: [] },
      ]),
    );
    const earlier = { errorCode: { dataType: 'String', stringValue: 'TIMEOUT' } };
    const letter = await add('again', { ...earlier, ...own });
    expect(Object.keys(letter?.MessageAttributes ?? {})).toHaveLength(10);
    expect(letter?.MessageAttributes).toMatchObject({
      errorCode: { StringValue: 'INVALID_EVENT' },
      a6: { StringValue: '6' },
    });
  });

  it('keeps attributes that are bytes', async () => {
    const bytes = Buffer.from([0, 255]);
    const letter = await add('bytes', { raw: { dataType: 'Binary', binaryValue: bytes.toString('base64') } });
    expect(Buffer.from(letter?.MessageAttributes?.['raw']?.BinaryValue ?? []).equals(bytes)).toBe(true);
  });

  it('fails with UNAVAILABLE if the queue does not exist', async () => {
    const elsewhere = openDeadLetters(servers.sqs, queueUrl.replace(/dead$/, 'none'));
    await expect(elsewhere.add({ body: 'a', messageAttributes: {} }, REASON)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });
});
