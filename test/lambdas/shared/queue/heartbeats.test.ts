import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Heartbeats, LEASE_SECONDS } from '../../../../lambdas/shared/queue/heartbeats.ts';

type Beat = readonly [handles: readonly string[], seconds: number];

let beats: Beat[];
let heartbeats: Heartbeats;

beforeEach(() => {
  jest.useFakeTimers();
  beats = [];
  heartbeats = new Heartbeats(async (handles, seconds) => {
    beats.push([handles, seconds]);
  });
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a worker', () => {
  it('shortens the visibility of its messages immediately, and renews it until they are let go', async () => {
    heartbeats.hold(['a', 'b']);
    await heartbeats.letGo('b');
    expect(beats).toEqual([[['a', 'b'], 40]]);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(beats.slice(1)).toEqual([
      [['a'], 40],
      [['a'], 40],
    ]);
    await heartbeats.letGo('a');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(beats).toHaveLength(3);
  });

  it('leaves its messages to the next worker within a minute if it crashes, even if a heartbeat was lost', () => {
    heartbeats.hold(['a']);
    const beatSeconds = 15;
    // A lost heartbeat must not show the message to another worker.
    expect(LEASE_SECONDS).toBeGreaterThan(2 * beatSeconds);
    expect(LEASE_SECONDS).toBeLessThan(60);
  });

  it('continues after a failed request', async () => {
    let isFirst = true;
    const seen: number[] = [];
    const failing = new Heartbeats(async (_, seconds) => {
      if (isFirst) {
        isFirst = false;
        throw new Error('no connection');
      }
      seen.push(seconds);
    });
    failing.hold(['a']);
    await jest.advanceTimersByTimeAsync(15_000);
    expect(seen).toEqual([LEASE_SECONDS]);
    await failing.letGo('a');
  });

  it('lets a message go only when no request is under way that would hide it again', async () => {
    let respond: (() => void) | undefined;
    const slow = new Heartbeats(
      () =>
        new Promise<void>((resolve) => {
          respond = resolve;
        }),
    );
    slow.hold(['a']);
    await jest.advanceTimersByTimeAsync(0);
    let isFree = false;
    const letting = slow.letGo('a').then(() => {
      isFree = true;
    });
    await jest.advanceTimersByTimeAsync(1000);
    expect(isFree).toBe(false);
    respond?.();
    await letting;
    expect(isFree).toBe(true);
  });
});
