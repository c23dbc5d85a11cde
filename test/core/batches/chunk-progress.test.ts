import { describe, expect, it } from '@jest/globals';
import { afterCrash, afterTry, NO_PROGRESS, triesOf } from '../../../core/batches/chunk-progress.ts';

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

describe('a try that failed', () => {
  it('is counted with its reason', () => {
    const progress = afterTry(afterTry(NO_PROGRESS, 7, REASON), 7, REASON);
    expect(progress).toMatchObject({ tries: { 7: 2 }, reasons: { 7: REASON } });
  });
});
