import { beforeEach, describe, expect, it } from '@jest/globals';
import type { SQSRecord } from 'aws-lambda';
import { AppError } from '../../../../core/errors.ts';
import {
  type FailedMessage,
  handleEach,
  handleTogether,
  type Verdict,
} from '../../../../lambdas/shared/queue/handle-each.ts';
import { eventOf } from '../jobs/jobs-harness.ts';

const NONE = { batchItemFailures: [] };

function retried(...ids: readonly string[]) {
  return { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) };
}

/** Messages that are held and that were let go, in order. */
const held: string[] = [];
const letGo: string[] = [];

const queue = {
  hold: (handles: readonly string[]) => {
    held.push(...handles);
  },
  letGo: async (handle: string) => {
    letGo.push(handle);
  },
};

beforeEach(() => {
  held.length = 0;
  letGo.length = 0;
});

const retry = (): Verdict => 'retry';
const read = ({ body }: SQSRecord): string => body;

describe('handleEach', () => {
  it('returns only the messages to retry', async () => {
    const handle = async (body: string): Promise<Verdict> => (body === 'b' ? 'retry' : 'done');
    expect(await handleEach(eventOf(['a', 'b', 'c']), { queue, read, handle, onError: retry })).toEqual(retried('m1'));
  });

  it('handles the other messages if one cannot be read', async () => {
    const handled: string[] = [];
    const failed: FailedMessage<string>[] = [];
    const response = await handleEach(eventOf(['a', 'poison', 'c']), {
      queue,
      read: ({ body }) => {
        if (body === 'poison') throw new AppError('INVALID_EVENT', 'not an event');
        return body;
      },
      handle: async (body) => {
        handled.push(body);
        return 'done';
      },
      onError: (failure) => {
        failed.push(failure);
        return 'done';
      },
    });
    expect(response).toEqual(NONE);
    expect(handled).toEqual(['a', 'c']);
    expect(failed).toMatchObject([{ error: { code: 'INVALID_EVENT' }, record: { messageId: 'm1' } }]);
    expect(failed[0]?.message).toBeUndefined();
  });

  it('gives the message and INTERNAL to onError if the handler throws an unknown error', async () => {
    const cause = new TypeError('holds input text');
    const failed: FailedMessage<string>[] = [];
    const response = await handleEach(eventOf(['a']), {
      queue,
      read,
      handle: () => Promise.reject(cause),
      onError: (failure) => {
        failed.push(failure);
        return 'retry';
      },
    });
    expect(response).toEqual(retried('m0'));
    expect(failed).toMatchObject([{ message: 'a', error: { code: 'INTERNAL', message: 'unexpected failure', cause } }]);
  });

  it('retries a message if onError fails as well', async () => {
    const fail = () => {
      throw new Error('the log is full');
    };
    const response = await handleEach(eventOf(['a', 'b']), {
      queue,
      read: (record) => (record.body === 'a' ? fail() : record.body),
      handle: fail,
      onError: fail,
    });
    expect(response).toEqual(retried('m0', 'm1'));
  });

  it('handles messages of different lanes concurrently, and those of one lane in order', async () => {
    const log: string[] = [];
    let releaseSlow: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      releaseSlow = resolve;
    });
    const response = await handleEach(eventOf(['x1 slow', 'x2', 'y1']), {
      queue,
      read,
      laneOf: (body) => body.slice(0, 1),
      handle: async (body) => {
        if (body.endsWith('slow')) await slow;
        log.push(body);
        if (body === 'y1') releaseSlow();
        return 'done';
      },
      onError: retry,
    });
    expect(response).toEqual(NONE);
    expect(log).toEqual(['y1', 'x1 slow', 'x2']);
  });

  it('names a message once that SQS delivered twice in one event', async () => {
    const { Records } = eventOf(['a']);
    let copies = 0;
    const handle = async (): Promise<Verdict> => (copies++ === 0 ? 'done' : 'retry');
    expect(
      await handleEach({ Records: [...Records, ...structuredClone(Records)] }, { queue, read, handle, onError: retry }),
    ).toEqual(retried('m0'));
  });
});

describe('handleTogether', () => {
  it('keeps the verdicts that were given before a failure, and retries the rest', async () => {
    const errors: AppError[] = [];
    const response = await handleTogether(
      eventOf(['a', 'b', 'c']),
      queue,
      async ([first, second], decide) => {
        if (first !== undefined) decide(first, 'done');
        if (second !== undefined) decide(second, 'retry');
        throw new Error('out of memory');
      },
      (error) => errors.push(error),
    );
    expect(response).toEqual(retried('m1', 'm2'));
    expect(errors).toMatchObject([{ code: 'INTERNAL' }]);
  });

  it('holds every message until it is decided about', async () => {
    await handleTogether(eventOf(['a', 'b']), queue, async ([first], decide) => {
      expect([held, letGo]).toEqual([['r0', 'r1'], []]);
      if (first !== undefined) decide(first, 'done');
      expect(letGo).toEqual(['r0']);
    });
    expect(new Set(letGo)).toEqual(new Set(['r0', 'r1']));
  });

  it('retries a message that got no verdict', async () => {
    expect(await handleTogether(eventOf(['a']), queue, async () => undefined)).toEqual(retried('m0'));
  });
});
