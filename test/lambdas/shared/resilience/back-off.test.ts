import { describe, expect, it } from '@jest/globals';
import { retryUnprocessed } from '../../../../lambdas/shared/resilience/back-off.ts';

const ATTEMPTS = { maxAttempts: 3, firstMs: 1, maxMs: 2 };

describe('retryUnprocessed', () => {
  it('sends again only the entries that were not processed', async () => {
    const sent: (readonly string[])[] = [];
    const rest = await retryUnprocessed(
      ['a', 'b', 'c'],
      async (entries) => {
        sent.push(entries);
        return entries.slice(1);
      },
      ATTEMPTS,
    );
    expect(rest).toEqual([]);
    expect(sent).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
  });

  it('returns the entries that are unprocessed after the last attempt', async () => {
    let attempts = 0;
    const rest = await retryUnprocessed(
      ['a', 'b'],
      async () => {
        attempts += 1;
        return ['b'];
      },
      ATTEMPTS,
    );
    expect([rest, attempts]).toEqual([['b'], 3]);
  });

  it('sends nothing if there are no entries', async () => {
    const send = () => Promise.reject(new Error('nothing to send'));
    expect(await retryUnprocessed([], send, ATTEMPTS)).toEqual([]);
  });

  it('stops when the signal is aborted', async () => {
    const controller = new AbortController();
    const send = async () => {
      controller.abort();
      return ['a'];
    };
    const endless = { maxAttempts: Number.POSITIVE_INFINITY, firstMs: 1, maxMs: 2, signal: controller.signal };
    await expect(retryUnprocessed(['a'], send, endless)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
