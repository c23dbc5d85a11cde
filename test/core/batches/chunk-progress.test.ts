import { describe, expect, it } from '@jest/globals';
import {
  afterCrash,
  afterTry,
  type ChunkProgress,
  lastStartOf,
  NO_PROGRESS,
  triesOf,
} from '../../../core/batches/chunk-progress.ts';

const REASON = { code: 'INTERNAL', message: 'unexpected failure' } as const;

describe('the progress of a chunk after a crash', () => {
  it('runs several unfinished lines one by one, each of them tried once', () => {
    const progress = afterCrash({ ...NO_PROGRESS, isStarted: true });
    expect(progress).toMatchObject({ isAlone: true, crashes: 1, tries: {} });
    expect(triesOf(progress, 7)).toBe(1);
    expect(triesOf(NO_PROGRESS, 7)).toBe(0);
  });

  it('counts the crash as a try of the line if it was running alone', () => {
    const progress = afterCrash({ ...NO_PROGRESS, isAlone: true, crashes: 1, running: 7 });
    expect(progress).toMatchObject({ crashes: 1, tries: { 7: 2 } });
    expect(progress).not.toHaveProperty('running');
    expect(triesOf(progress, 8)).toBe(1);
  });
});

describe('the last start of a chunk', () => {
  const NOW_MS = 1000;
  const worker = { messageId: 'a', claimId: 'a.1', waits: 0, untilMs: NOW_MS + 1 };
  const started: ChunkProgress = { ...NO_PROGRESS, isStarted: true, worker };
  const first = { messageId: 'b', claimId: 'b.1', waits: 0, isRepeated: false, nowMs: NOW_MS };
  const second = { messageId: 'a', claimId: 'a.2', waits: 0, isRepeated: true, nowMs: NOW_MS };

  it('has stopped if it says so, or if its message waits as a copy', () => {
    expect(lastStartOf({ ...started, isStarted: false }, second)).toBe('stopped');
    expect(lastStartOf(started, { ...first, claimId: 'a.1', waits: 1 })).toBe('stopped');
  });

  it('has crashed if its message is delivered again, also as a copy that waited after that', () => {
    expect(lastStartOf(started, second)).toBe('crashed');
    expect(lastStartOf(started, { ...first, claimId: 'a.2', waits: 1 })).toBe('crashed');
  });

  it('is running for another message until its time ends, and has crashed then', () => {
    expect(lastStartOf(started, first)).toBe('running');
    expect(lastStartOf(started, { ...first, isRepeated: true, claimId: 'b.2' })).toBe('running');
    expect(lastStartOf(started, { ...first, nowMs: NOW_MS + 1 })).toBe('crashed');
  });

  it('is running for a copy from before, also if the worker received another copy of the same message', () => {
    const copy = { ...first, messageId: 'c', claimId: 'a.1', waits: 1 };
    const ofSecond = { ...started, worker: { ...worker, claimId: 'a.2' } };
    const ofCopy = { ...started, worker: { ...worker, messageId: 'b', waits: 1 } };
    expect(lastStartOf(ofSecond, copy)).toBe('running');
    expect(lastStartOf(ofCopy, copy)).toBe('running');
    expect(lastStartOf(ofCopy, { ...copy, waits: 2 })).toBe('stopped');
  });

  it('has crashed if no worker is known and the message is delivered again', () => {
    for (const progress of [undefined, { ...NO_PROGRESS, isStarted: true }]) {
      expect(lastStartOf(progress, first)).toBe('stopped');
      expect(lastStartOf(progress, second)).toBe('crashed');
    }
  });
});

describe('a try that failed', () => {
  it('is counted with its reason', () => {
    const progress = afterTry(afterTry(NO_PROGRESS, 7, REASON), 7, REASON);
    expect(progress).toMatchObject({ tries: { 7: 2 }, reasons: { 7: REASON } });
  });
});
