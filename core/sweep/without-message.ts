import { DAY_MS } from '../clock.ts';
import type { Observation } from './due.ts';

const MINUTE_MS = 60_000;

/** Minimum time between two looks that confirm each other: SQS counts messages approximately, and settles in a minute. */
export const CONFIRM_AFTER_MS = 4 * MINUTE_MS;

/**
 * Age of work at which no message of it can exist: SQS keeps a message for 14 days, and its last copy may have been sent
 * a day after the work was accepted.
 */
export const MESSAGE_LIFE_MS = 15 * DAY_MS;

/** Facts about the message of some work. */
export interface MessageFacts {
  readonly nowMs: number;
  /** When the work was last known to have a message, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** The progress of the work. */
  readonly progress: string;
  /** Whether every queue that could hold the message is empty. */
  readonly areQueuesEmpty: boolean;
  /** The observation of the last sweep. */
  readonly before: Observation | undefined;
}

/** Whether work still has a message. */
export type MessageState =
  /** A queue holds messages: the work waits its turn. */
  | { readonly kind: 'waiting' }
  /** The queues are empty: a second look must confirm it. */
  | { readonly kind: 'unconfirmed'; readonly observation: Observation }
  /** No message is left to run the work. */
  | { readonly kind: 'gone' };

/**
 * Decides whether work still has a message. Work in a backlog always has one.
 *
 * The message is gone if the queues were empty at two looks without progress in between, or if it is older than any
 * message can be.
 */
export function messageState({ nowMs, sinceMs, progress, areQueuesEmpty, before }: MessageFacts): MessageState {
  if (nowMs - sinceMs >= MESSAGE_LIFE_MS) return { kind: 'gone' };
  if (!areQueuesEmpty) return { kind: 'waiting' };
  const isSame = before?.progress === progress;
  if (isSame && nowMs - before.atMs >= CONFIRM_AFTER_MS) return { kind: 'gone' };
  return { kind: 'unconfirmed', observation: isSame ? before : { atMs: nowMs, progress } };
}

/**
 * Returns when to look again at work that waits: after half of its age so far, between five minutes and two hours. A
 * backlog of many jobs is thus not read again at every sweep.
 */
export function nextLookAtMs(nowMs: number, sinceMs: number): number {
  return nowMs + Math.min(Math.max((nowMs - sinceMs) / 2, 5 * MINUTE_MS), 120 * MINUTE_MS);
}
