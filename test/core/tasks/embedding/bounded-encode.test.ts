import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeBounded } from '../../../../core/tasks/embedding/bounded-encode.ts';

/** Notes how much of texts is read; each word is a token, and white space is none. */
function wordTokenizer() {
  const read: string[] = [];
  const encode = (text: string) => {
    read.push(text);
    return [0, ...(text.match(/\S+/g) ?? []).map((word) => word.length), 1];
  };
  return { encode, read };
}

const MAX_TOKENS = 4;

/** Cuts ids as tokenizers do. */
const cut = (ids: readonly number[], side: 'start' | 'end') =>
  side === 'end' ? [...ids.slice(0, MAX_TOKENS - 1), 1] : [0, ...ids.slice(1 - MAX_TOKENS)];

describe('encodeBounded', () => {
  it.each(['start', 'end'] as const)('returns the same tokens as for the whole text if the %s is cut', (side) => {
    const words = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 300 }), fc.constantFrom(' ', '  ', '\n', ' '.repeat(400))),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(words, (parts) => {
        const text = parts.map(([length, space]) => 'x'.repeat(length) + space).join('');
        const { encode } = wordTokenizer();
        const { ids, isWhole } = encodeBounded(text, MAX_TOKENS, side, { encode });
        const whole = encode(text);
        expect(ids.length > MAX_TOKENS).toBe(whole.length > MAX_TOKENS);
        if (isWhole) expect(ids).toEqual(whole);
        else expect(cut(ids, side)).toEqual(cut(whole, side));
      }),
      { numRuns: 200 },
    );
  });

  it('reads a short text once', () => {
    const { encode, read } = wordTokenizer();
    const text = 'a '.repeat(32 * MAX_TOKENS);
    expect(encodeBounded(text, MAX_TOKENS, 'end', { encode }).isWhole).toBe(true);
    expect(read).toEqual([text]);
  });

  it.each(['start', 'end'] as const)(
    'reads a small part of a text of megabytes from the other end than the %s',
    (side) => {
      const { encode, read } = wordTokenizer();
      const text = `${'a '.repeat(1_000_000)}z`;
      expect(encodeBounded(text, MAX_TOKENS, side, { encode }).isWhole).toBe(false);
      expect(read.join('').length).toBeLessThan(2000);
      expect(side === 'end' ? text.startsWith(read.at(-1) ?? '?') : text.endsWith(read.at(-1) ?? '?')).toBe(true);
    },
  );

  it('reads more if the beginning is empty, and at most a third more than the whole text', () => {
    const { encode, read } = wordTokenizer();
    const text = `${' '.repeat(1_000_000)}a`;
    expect(encodeBounded(text, MAX_TOKENS, 'end', { encode })).toEqual({ ids: [0, 1, 1], isWhole: true });
    expect(read.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1.7 * text.length);
  });

  it.each(['start', 'end'] as const)('cuts no character in two if a text has no spaces, at the %s', (side) => {
    const texts: string[] = [];
    const encode = (text: string) => {
      texts.push(text);
      return [...text].map(() => 1);
    };
    for (const shift of ['', 'x']) {
      const { isWhole } = encodeBounded(shift + '😀'.repeat(2000) + shift, MAX_TOKENS, side, { encode });
      expect(isWhole).toBe(false);
    }
    for (const text of texts) expect(text.isWellFormed()).toBe(true);
  });
});
