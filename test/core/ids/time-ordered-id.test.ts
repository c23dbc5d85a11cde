import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ID_ENTROPY_BYTES, timeOfId, timeOrderedId } from '../../../core/ids/time-ordered-id.ts';

const times = fc.integer({ min: 0, max: 2 ** 50 - 1 });
const entropies = fc.uint8Array({ minLength: ID_ENTROPY_BYTES, maxLength: 40 });

describe('timeOrderedId', () => {
  it('is read back as its time', () => {
    fc.assert(
      fc.property(times, entropies, (time, entropy) => {
        const id = timeOrderedId(time, entropy);
        expect(id).toMatch(/^[0-9a-z]{26}$/);
        expect(timeOfId(id)).toBe(time);
      }),
    );
  });

  it('sorts as the times do', () => {
    fc.assert(
      fc.property(times, times, entropies, (first, second, entropy) => {
        const [a, b] = [timeOrderedId(first, entropy), timeOrderedId(second, entropy)];
        expect(Math.sign(a < b ? -1 : Number(a > b))).toBe(Math.sign(first - second));
      }),
    );
  });

  it.each(['', 'abc', 'u'.repeat(26), `${'0'.repeat(25)}!`])('reads no time from %j', (id) => {
    expect(timeOfId(id)).toBeUndefined();
  });
});
