import { describe, expect, it } from '@jest/globals';
import { parseStepMessage, stepDelaySeconds } from '../../../core/batches/step-message.ts';

describe('parseStepMessage', () => {
  it.each([
    { v: 1, kind: 'split', owner: 'k', batchId: 'b' },
    { v: 1, kind: 'merge', owner: 'k', batchId: 'b', attempt: 3 },
    { v: 1, kind: 'assemble', owner: 'k', uploadId: 'u' },
  ])('reads %j', (step) => {
    expect(parseStepMessage(JSON.stringify(step))).toEqual(step);
  });

  it.each([
    'no JSON',
    '{}',
    '{"v":1,"kind":"dance","owner":"k","batchId":"b"}',
    '{"v":2,"kind":"split","owner":"k","batchId":"b"}',
  ])('fails with INVALID_EVENT for %s', (text) => {
    expect(() => parseStepMessage(text)).toThrow(expect.objectContaining({ code: 'INVALID_EVENT' }));
  });
});

describe('stepDelaySeconds', () => {
  it.each([
    [0, 1],
    [1, 2],
    [5, 32],
    [10, 300],
    [1_000_000, 300],
  ])('returns, after %d failures, %d', (attempt, seconds) => {
    expect(stepDelaySeconds(attempt)).toBe(seconds);
  });
});
