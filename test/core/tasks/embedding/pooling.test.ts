import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clsPool, cutDimensions, meanPool, normalizeL2, poolBatch } from '../../../../core/tasks/embedding/pooling.ts';

const value = fc.float({ min: -100, max: 100, noNaN: true });

/** A batch of random hidden states with lengths. */
const batch = fc
  .record({
    items: fc.integer({ min: 1, max: 4 }),
    tokens: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 8 }),
  })
  .chain(({ items, tokens, width }) =>
    fc.record({
      tokens: fc.constant(tokens),
      width: fc.constant(width),
      lengths: fc.array(fc.integer({ min: 1, max: tokens }), { minLength: items, maxLength: items }),
      data: fc
        .array(value, { minLength: items * tokens * width, maxLength: items * tokens * width })
        .map(Float32Array.from.bind(Float32Array)),
    }),
  );

function norm(vector: Float32Array): number {
  return Math.hypot(...vector);
}

describe('meanPool', () => {
  it('averages the tokens of an item and never its padding', () => {
    const data = Float32Array.of(9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 1000, 1000);
    expect(meanPool({ data, tokens: 3, width: 2 }, 1, 2)).toEqual(Float32Array.of(2, 3));
  });

  it('is the mean of every column, whatever the width', () => {
    fc.assert(
      fc.property(batch, ({ data, tokens, width, lengths }) => {
        lengths.forEach((length, item) => {
          const columns = Array.from({ length: width }, (_, column) => {
            const rows = Array.from({ length }, (_, token) => data[(item * tokens + token) * width + column] ?? 0);
            return rows.reduce((sum, x) => sum + x, 0) / length;
          });
          expect(meanPool({ data, tokens, width }, item, length)).toEqual(Float32Array.from(columns));
        });
      }),
    );
  });

  it('returns zeros for an item without tokens', () => {
    expect(meanPool({ data: Float32Array.of(5, 5), tokens: 1, width: 2 }, 0, 0)).toEqual(Float32Array.of(0, 0));
  });

  it('returns the same bits for any padding', () => {
    fc.assert(
      fc.property(batch, ({ data, tokens, width, lengths }) => {
        lengths.forEach((length, item) => {
          const alone = data.slice(item * tokens * width, (item * tokens + length) * width);
          expect(meanPool({ data, tokens, width }, item, length)).toEqual(
            meanPool({ data: alone, tokens: length, width }, 0, length),
          );
        });
      }),
    );
  });
});

describe('clsPool', () => {
  it('takes the first token of an item, as a copy', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const vector = clsPool({ data, tokens: 2, width: 2 }, 1);
    expect(vector).toEqual(Float32Array.of(5, 6));
    vector[0] = 0;
    expect(data[4]).toBe(5);
  });
});

describe('normalizeL2', () => {
  it('scales to length one and keeps the direction', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 50 }), (values) => {
        fc.pre(values.some((x) => Math.abs(x) > 1e-3));
        const before = Math.hypot(...values);
        const vector = normalizeL2(Float32Array.from(values));
        expect(norm(vector)).toBeCloseTo(1, 5);
        values.forEach((x, index) => {
          expect(vector[index]).toBeCloseTo(x / before, 5);
        });
      }),
    );
  });

  it('keeps the zero vector', () => {
    expect(normalizeL2(new Float32Array(3))).toEqual(new Float32Array(3));
  });

  it('divides by 1e-12 if the length is smaller, as torch does', () => {
    expect(normalizeL2(Float32Array.of(1e-14))[0]).toBeCloseTo(0.01, 6);
  });
});

describe('cutDimensions', () => {
  it('returns the same vector when nothing is cut', () => {
    const vector = Float32Array.of(0.1, 0.2, 0.3);
    expect(cutDimensions(vector, 3)).toBe(vector);
  });

  it('keeps the first dimensions at length one and leaves the vector alone', () => {
    const vector = Float32Array.of(3, 4, 12);
    expect(cutDimensions(vector, 2)).toEqual(Float32Array.of(0.6, 0.8));
    expect(vector).toEqual(Float32Array.of(3, 4, 12));
  });
});

describe('poolBatch', () => {
  it.each(['mean', 'cls'] as const)('returns one vector for each item by pooling %s', (pooling) => {
    fc.assert(
      fc.property(batch, ({ data, tokens, width, lengths }) => {
        const states = { data, tokens, width };
        const plain = poolBatch(states, lengths, { pooling, normalize: false });
        const expected = lengths.map((length, item) =>
          pooling === 'mean' ? meanPool(states, item, length) : clsPool(states, item),
        );
        expect(plain).toEqual(expected);
        expect(poolBatch(states, lengths, { pooling, normalize: true })).toEqual(expected.map(normalizeL2));
      }),
    );
  });
});
