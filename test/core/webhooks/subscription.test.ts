import { describe, expect, it } from '@jest/globals';
import { isSubscribed, parseSubscriptionRequest, renderSubscription } from '../../../core/webhooks/subscription.ts';

const ALL = { id: 'wh_1', url: 'https://a.example.com/', events: [], createdAtMs: 0 };

describe('a subscription', () => {
  it('receives every event unless it names some, and none while it is disabled', () => {
    expect(isSubscribed(ALL, 'job.failed')).toBe(true);
    expect(isSubscribed({ ...ALL, events: ['job.succeeded'] }, 'job.failed')).toBe(false);
    expect(isSubscribed({ ...ALL, events: ['job.failed'] }, 'job.failed')).toBe(true);
    expect(isSubscribed({ ...ALL, disabledAtMs: 1 }, 'job.failed')).toBe(false);
  });

  it('is shown with the events that it receives', () => {
    expect(renderSubscription(ALL)).toMatchObject({
      status: 'enabled',
      events: expect.arrayContaining(['job.failed']),
    });
    expect(renderSubscription({ ...ALL, events: ['job.failed'], disabledAtMs: 1 })).toMatchObject({
      id: 'wh_1',
      object: 'webhook',
      status: 'disabled',
      events: ['job.failed'],
    });
  });

  it.each([
    [{}, 'url: is missing'],
    [{ url: 1 }, 'must be a URL'],
    [{ url: 'https://a.b/', events: ['job.born'] }, 'must be one of job.succeeded'],
    [{ url: 'https://a.b/', secret: 'x' }, 'is not a known key'],
  ])('fails with INVALID_BODY for %j', (value, words) => {
    expect(() => parseSubscriptionRequest(value)).toThrow(words);
  });

  it('receives all events if it names none', () => {
    expect(parseSubscriptionRequest({ url: 'https://a.b/' })).toEqual({ url: 'https://a.b/', events: [] });
  });
});
