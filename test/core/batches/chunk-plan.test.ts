import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChunkPlan, type PlannedChunk, textStart } from '../../../core/batches/chunk-plan.ts';

const LIMITS = { lines: 3, bytes: 40, lineBytes: 60 };

function plan(text: string, windows: readonly number[] = [], limits = LIMITS): PlannedChunk[] {
  const bytes = new TextEncoder().encode(text);
  const cutter = new ChunkPlan(0, 1, limits);
  const chunks: PlannedChunk[] = [];
  let from = 0;
  for (const size of [...windows, bytes.length]) {
    const end = Math.min(bytes.length, from + size);
    chunks.push(...cutter.push(bytes.subarray(from, end)));
    from = end;
  }
  return [...chunks, ...cutter.end()];
}

const line = fc.oneof(fc.stringMatching(/^[a-z]{0,30}$/), fc.constantFrom('', '  ', '\r', '\t \r', 'x'.repeat(70)));

describe('ChunkPlan', () => {
  it('covers every byte and line once, in order, for windows of any size', () => {
    fc.assert(
      fc.property(
        fc.array(line),
        fc.boolean(),
        fc.array(fc.integer({ min: 0, max: 50 })),
        (lines, endsWithFeed, windows) => {
          const text = lines.join('\n') + (endsWithFeed ? '\n' : '');
          const chunks = plan(text, windows);
          expect(chunks).toEqual(plan(text));
          let [byte, number] = [0, 1];
          for (const chunk of chunks) {
            expect([chunk.start, chunk.firstLine]).toEqual([byte, number]);
            byte = chunk.end;
            number += chunk.lines;
          }
          expect(byte).toBe(new TextEncoder().encode(text).length);
          const requests = chunks.reduce((sum, chunk) => sum + chunk.requests, 0);
          expect(requests).toBe(text.split('\n').filter((one) => one.trim() !== '').length);
        },
      ),
    );
  });

  it('continues from the end of any chunk as if it had not been interrupted', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 4 }), (lines) => {
        const text = `${lines.join('\n')}\n`;
        const all = plan(text);
        for (const [index, { end, firstLine, lines: count }] of all.entries()) {
          const rest = new ChunkPlan(end, firstLine + count, LIMITS);
          const bytes = new TextEncoder().encode(text).subarray(end);
          expect([...rest.push(bytes), ...rest.end()]).toEqual(all.slice(index + 1));
        }
      }),
    );
  });

  it('respects the limits of lines and bytes', () => {
    for (const { lines, start, end } of plan(Array.from({ length: 20 }, (_, index) => 'y'.repeat(index)).join('\n'))) {
      expect(lines).toBeLessThanOrEqual(LIMITS.lines);
      expect(end - start).toBeLessThanOrEqual(LIMITS.bytes);
    }
  });

  it('makes a line beyond the limit of a chunk a chunk of its own, and marks one beyond the limit of a line', () => {
    expect(plan(`a\n${'b'.repeat(50)}\n${'c'.repeat(61)}\nd`)).toMatchObject([
      { firstLine: 1, lines: 1, isTooLong: false },
      { firstLine: 2, lines: 1, isTooLong: false },
      { firstLine: 3, lines: 1, isTooLong: true },
      { firstLine: 4, lines: 1, isTooLong: false },
    ]);
  });

  it('puts any number of blank lines before a request into one chunk, so that they never end the split', () => {
    const chunks = plan(`${'\n'.repeat(100_000)}a\n`);
    expect(chunks.map(({ lines, requests, firstLine }) => [lines, requests, firstLine])).toEqual([
      [100_000, 0, 1],
      [1, 1, 100_001],
    ]);
  });

  it('does not mark a long blank line', () => {
    expect(plan(' '.repeat(80))).toMatchObject([{ requests: 0, isTooLong: false }]);
  });
});

describe('textStart', () => {
  it('skips a byte order mark', () => {
    expect(textStart(new Uint8Array([0xef, 0xbb, 0xbf]))).toBe(3);
    expect(textStart(new Uint8Array([0xef, 0xbb]))).toBe(0);
    expect(textStart(new Uint8Array())).toBe(0);
  });
});
