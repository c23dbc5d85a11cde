import { describe, expect, it } from '@jest/globals';
import { type Delivery, renderDelivery, withAttempt } from '../../../core/webhooks/delivery.ts';
import { parseDeliveryMessage } from '../../../core/webhooks/delivery-message.ts';

const NEW: Delivery = {
  ...{
    id: 'dlv_1',
    url: 'https://a.b/',
    body: '{"type":"job.failed"}',
    status: 'pending',
    attempts: [],
    createdAtMs: 0,
  },
};

describe('a delivery', () => {
  it('keeps its latest attempts only', () => {
    let delivery = NEW;
    for (let atMs = 0; atMs < 30; atMs++) {
      delivery = withAttempt(
        delivery,
        { atMs, durationMs: 1, status: 500 },
        { status: 'pending', nextAttemptMs: atMs },
      );
    }
    expect(delivery.attempts).toHaveLength(20);
    expect(delivery.attempts.at(-1)?.atMs).toBe(29);
    expect(delivery.nextAttemptMs).toBe(29);
  });

  it('has no next attempt once it is delivered', () => {
    const pending = withAttempt(NEW, { atMs: 0, durationMs: 1, error: 'no' }, { status: 'pending', nextAttemptMs: 5 });
    const done = withAttempt(pending, { atMs: 5, durationMs: 1.6, status: 204 }, { status: 'delivered' });
    expect(done.nextAttemptMs).toBeUndefined();
    expect(renderDelivery(done)).toMatchObject({
      status: 'delivered',
      event: { type: 'job.failed' },
      attempts: [
        { status: null, error: 'no' },
        { status: 204, error: null, duration_ms: 2 },
      ],
      next_attempt_at: null,
    });
    expect(renderDelivery(pending)).toMatchObject({ next_attempt_at: '1970-01-01T00:00:00.005Z' });
  });
});

describe('parseDeliveryMessage', () => {
  const message = {
    ...{ v: 1, kind: 'delivery', owner: 'k', id: 'dlv_1', url: 'https://a.b/', body: '{}' },
    subject: { object: 'job', id: 'j' },
    attempt: 0,
    notBeforeMs: 0,
    firstAtMs: 0,
  };

  it('reads what was sent', () => {
    expect(parseDeliveryMessage(JSON.stringify(message))).toEqual(message);
  });

  it.each([
    ['no JSON', 'is not JSON'],
    ['{}', 'problems'],
    [JSON.stringify({ ...message, v: 2 }), 'must be 1'],
    [JSON.stringify({ ...message, subject: { object: 'file', id: 'x' } }), 'must be job or batch'],
  ])('fails with INVALID_BODY for %s', (text, words) => {
    expect(() => parseDeliveryMessage(text)).toThrow(expect.objectContaining({ code: 'INVALID_BODY' }));
    expect(() => parseDeliveryMessage(text)).toThrow(words);
  });
});
