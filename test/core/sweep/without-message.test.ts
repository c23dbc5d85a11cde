import { describe, expect, it } from '@jest/globals';
import {
  CONFIRM_AFTER_MS,
  MESSAGE_LIFE_MS,
  type MessageFacts,
  messageState,
  nextLookAtMs,
} from '../../../core/sweep/without-message.ts';

const MINUTE_MS = 60_000;
const NOW_MS = 1_750_000_000_000;

function state(more: Partial<MessageFacts>) {
  const usual = { nowMs: NOW_MS, sinceMs: NOW_MS - 3_600_000, progress: '0', areQueuesEmpty: true, before: undefined };
  return messageState({ ...usual, ...more });
}

describe('the message of some work', () => {
  it('waits as long as a queue holds any message', () => {
    const before = { atMs: NOW_MS - CONFIRM_AFTER_MS, progress: '0' };
    expect(state({ areQueuesEmpty: false, before })).toEqual({ kind: 'waiting' });
  });

  it('is not gone when the queues are empty for the first time', () => {
    expect(state({})).toEqual({ kind: 'unconfirmed', observation: { atMs: NOW_MS, progress: '0' } });
  });

  it('is gone when the queues are empty at a second look minutes later', () => {
    expect(state({ before: { atMs: NOW_MS - CONFIRM_AFTER_MS, progress: '0' } })).toEqual({ kind: 'gone' });
  });

  it('is not gone when the second look is too early, which does not replace the first', () => {
    const before = { atMs: NOW_MS - CONFIRM_AFTER_MS + 1, progress: '0' };
    expect(state({ before })).toEqual({ kind: 'unconfirmed', observation: before });
  });

  it('is not gone when there was progress since the first look', () => {
    const before = { atMs: NOW_MS - CONFIRM_AFTER_MS, progress: '0' };
    const observation = { atMs: NOW_MS, progress: '1' };
    expect(state({ before, progress: '1' })).toEqual({ kind: 'unconfirmed', observation });
  });

  it('is gone when it is older than SQS keeps any message, even if the queues hold others', () => {
    expect(state({ areQueuesEmpty: false, sinceMs: NOW_MS - MESSAGE_LIFE_MS })).toEqual({ kind: 'gone' });
  });
});

describe('the next look at work that waits', () => {
  it.each([
    [0, 5],
    [60, 30],
    [24 * 60, 120],
  ])('is due, for work that is %i minutes old, %i minutes later', (ageMinutes, expected) => {
    expect(nextLookAtMs(NOW_MS, NOW_MS - ageMinutes * MINUTE_MS)).toBe(NOW_MS + expected * MINUTE_MS);
  });
});
