import { expect, test } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { growingDelaySeconds, isLastingDefect, isOutage } from '../../../core/jobs/outage.ts';

test('work waits twice as long each time, up to 5 minutes', () => {
  const longest = Array.from({ length: 9 }, (_, index) => growingDelaySeconds(index + 1, 1));
  expect(longest).toEqual([4, 8, 16, 32, 64, 128, 256, 300, 300]);
  expect(growingDelaySeconds(1_000_000, 1)).toBe(300);
});

test('jitter takes up to half of a wait', () => {
  expect([growingDelaySeconds(1, 0), growingDelaySeconds(1, 0.5), growingDelaySeconds(20, 0)]).toEqual([2, 3, 150]);
});

test('only UNAVAILABLE is an outage', () => {
  expect(isOutage(new AppError('UNAVAILABLE', 'the jobs table is unavailable right now'))).toBe(true);
  expect(isOutage(new AppError('TIMEOUT', 'the model took too long'))).toBe(false);
});

test('a defect of this product is permanent after 8 tries, and no other error is', () => {
  const [defect, outage] = [{ code: 'INTERNAL' }, { code: 'UNAVAILABLE' }] as const;
  expect([isLastingDefect(defect, 7), isLastingDefect(defect, 8), isLastingDefect(outage, 400)]).toEqual([
    false,
    true,
    false,
  ]);
});
