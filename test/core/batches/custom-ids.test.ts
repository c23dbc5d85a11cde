import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MAX_LINE_BYTES } from '../../../core/batches/batch.ts';
import { CustomIds, type Fingerprint } from '../../../core/batches/custom-ids.ts';

/** FNV-1a, twice. */
const fingerprint: Fingerprint = (text) => {
  const hash = (seed: number) => {
    let value = seed;
    for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
    return value >>> 0;
  };
  return [hash(2_166_136_261), hash(3_141_592_653) || 1];
};

const line = (id: unknown) => `${JSON.stringify({ custom_id: id, body: { custom_id: 'inner' } })}\n`;

function duplicatesIn(text: string, windowBytes = 1024): number[] {
  const bytes = Buffer.from(text);
  const ids = new CustomIds(fingerprint);
  const found: number[] = [];
  for (let start = 0; start < bytes.length; start += windowBytes) {
    found.push(...ids.push(bytes.subarray(start, start + windowBytes)).map((duplicate) => duplicate.line));
  }
  return [...found, ...ids.end().map((duplicate) => duplicate.line)];
}

describe('CustomIds', () => {
  it('finds lines that repeat an earlier id, for windows of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'é', '1', '\n')), fc.integer({ min: 1, max: 50 }), (ids, size) => {
        const expected = ids.flatMap((id, index) => (ids.indexOf(id) < index ? [index + 1] : []));
        expect(duplicatesIn(ids.map(line).join(''), size)).toEqual(expected);
        expect(duplicatesIn(ids.map(line).join('').trimEnd(), size)).toEqual(expected);
      }),
    );
  });

  it('ignores lines without an id: they are refused one by one', () => {
    expect(duplicatesIn(`{}\n\n{\n[]\n${line(1)}${line(1)}null\n${line('a')}`)).toEqual([]);
  });

  it('reads past a line that is too long to be a request', () => {
    const long = `{"custom_id":"a","x":"${'y'.repeat(MAX_LINE_BYTES)}"}\n`;
    expect(duplicatesIn(line('a') + long + line('b') + line('a'), 1024 * 1024)).toEqual([4]);
  });

  it('remembers thousands of ids, and resumes from its state', () => {
    const ids = Array.from({ length: 5000 }, (_, index) => `id-${index}`);
    const first = new CustomIds(fingerprint);
    const bytes = Buffer.from([...ids, 'last'].map(line).join(''));
    expect(first.push(bytes.subarray(0, -10))).toEqual([]);
    const second = new CustomIds(fingerprint, first.state);
    expect(second.push(bytes.subarray(first.state.position))).toEqual([]);
    expect(second.push(Buffer.from(line('id-4999') + line('last') + line('new')))).toEqual([
      { line: 5002 },
      { line: 5003 },
    ]);
  });
});
