import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MAX_WAIT_SECONDS, parsePrefer } from '../../../core/api/prefer.ts';

describe('parsePrefer', () => {
  it.each([
    [['respond-async'], { respondAsync: true }],
    [['Respond-Async, wait=10'], { respondAsync: true, waitSeconds: 10 }],
    [['wait=10', 'respond-async'], { respondAsync: true, waitSeconds: 10 }],
    [['wait = "7"'], { respondAsync: false, waitSeconds: 7 }],
    [['wait=3; foo=bar'], { respondAsync: false, waitSeconds: 3 }],
    [['wait=1, wait=9'], { respondAsync: false, waitSeconds: 1 }],
    [['wait=600'], { respondAsync: false, waitSeconds: MAX_WAIT_SECONDS }],
    [['wait=0'], { respondAsync: false, waitSeconds: 0 }],
    [['wait=soon'], { respondAsync: false }],
    [['wait=-1'], { respondAsync: false }],
    [['return=minimal, handling="a, respond-async"'], { respondAsync: false }],
    [[''], { respondAsync: false }],
    [[], { respondAsync: false }],
  ])('reads %j', (lines, preferences) => {
    expect(parsePrefer(lines)).toEqual(preferences);
  });

  it('never fails, because a server may ignore a preference', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (lines) => {
        const { waitSeconds = 0 } = parsePrefer(lines);
        expect(waitSeconds).toBeLessThanOrEqual(MAX_WAIT_SECONDS);
      }),
    );
  });
});
