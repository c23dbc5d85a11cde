import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type EmbeddingKey,
  embeddingFingerprint,
  type TensorKey,
  tensorFingerprint,
} from '../../../core/results/fingerprint.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';

/** The canonical bytes themselves, so that properties are about them and not about a hash. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const name = fc.string({ unit: 'grapheme', maxLength: 5 });
const embeddingKey: fc.Arbitrary<EmbeddingKey> = fc.record({
  modelId: name,
  weightsSha256: name,
  pooling: fc.constantFrom('mean', 'cls'),
  normalize: fc.boolean(),
  ids: fc.array(fc.nat(3), { maxLength: 4 }),
});

const shape = fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 2 });
const tensor: fc.Arbitrary<Tensor> = fc.oneof(
  fc.record({
    datatype: fc.constantFrom('INT32' as const),
    shape,
    data: fc.int32Array({ min: 0, max: 1, maxLength: 3 }),
  }),
  fc.record({
    datatype: fc.constantFrom('UINT8' as const, 'BOOL' as const),
    shape,
    data: fc.uint8Array({ max: 1, maxLength: 3 }),
  }),
  fc.record({ datatype: fc.constantFrom('BYTES' as const), shape, data: fc.array(name, { maxLength: 3 }) }),
);
const tensorKey: fc.Arbitrary<TensorKey> = fc.record(
  {
    modelId: name,
    weightsSha256: name,
    inputs: fc.dictionary(name, tensor, { maxKeys: 2, noNullPrototype: true }),
    outputs: fc.uniqueArray(name, { maxLength: 2 }),
  },
  { requiredKeys: ['modelId', 'weightsSha256', 'inputs'] },
);

/** One text for each key, the order of names aside. */
function identityOf(key: TensorKey): string {
  const inputs = Object.entries(key.inputs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([input, { datatype, shape: dims, data }]) => [input, datatype, dims, Array.from(data as Iterable<unknown>)]);
  return JSON.stringify([key.modelId, key.weightsSha256, inputs, key.outputs && [...key.outputs].sort()]);
}

describe('embeddingFingerprint', () => {
  it('hashes different bytes exactly when the keys differ', () => {
    fc.assert(
      fc.property(embeddingKey, embeddingKey, (a, b) => {
        const order = ({ modelId, weightsSha256, pooling, normalize, ids }: EmbeddingKey) =>
          JSON.stringify([modelId, weightsSha256, pooling, normalize, ids]);
        expect(embeddingFingerprint(hex, a) === embeddingFingerprint(hex, b)).toBe(order(a) === order(b));
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Partial<EmbeddingKey>]>([
    ['model', { modelId: 'b' }],
    ['weights', { weightsSha256: 'x' }],
    ['pooling', { pooling: 'cls' }],
    ['normalization', { normalize: false }],
    ['order of ids', { ids: [2, 1] }],
    ['number of ids', { ids: [1, 2, 0] }],
  ])('changes with the %s', (_, change) => {
    const key: EmbeddingKey = { modelId: 'a', weightsSha256: 'w', pooling: 'mean', normalize: true, ids: [1, 2] };
    expect(embeddingFingerprint(hex, { ...key, ...change })).not.toBe(embeddingFingerprint(hex, key));
  });

  it('does not let one field run into the next', () => {
    const key = { pooling: 'mean', normalize: true, ids: [] } as const;
    expect(embeddingFingerprint(hex, { ...key, modelId: 'ab', weightsSha256: 'c' })).not.toBe(
      embeddingFingerprint(hex, { ...key, modelId: 'a', weightsSha256: 'bc' }),
    );
  });

  it('is the same for an array and an Int32Array of ids', () => {
    const key = { modelId: 'a', weightsSha256: 'w', pooling: 'mean', normalize: true } as const;
    expect(embeddingFingerprint(hex, { ...key, ids: [101, 7592, 102] })).toBe(
      embeddingFingerprint(hex, { ...key, ids: Int32Array.of(0, 101, 7592, 102).subarray(1) }),
    );
  });

  it('gives what the hash gives', () => {
    const key = { modelId: 'a', weightsSha256: 'w', pooling: 'mean', normalize: true, ids: [1] } as const;
    expect(embeddingFingerprint(() => 'digest', key)).toBe('digest');
  });
});

describe('tensorFingerprint', () => {
  it('hashes different bytes exactly when the keys differ', () => {
    fc.assert(
      fc.property(tensorKey, tensorKey, (a, b) => {
        expect(tensorFingerprint(hex, a) === tensorFingerprint(hex, b)).toBe(identityOf(a) === identityOf(b));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order in which inputs and outputs are named', () => {
    const x: Tensor = { datatype: 'FP32', shape: [1], data: Float32Array.of(1) };
    const y: Tensor = { datatype: 'BYTES', shape: [1], data: ['a'] };
    const key = { modelId: 'a', weightsSha256: 'w' };
    expect(tensorFingerprint(hex, { ...key, inputs: { x, y }, outputs: ['p', 'q', 'p'] })).toBe(
      tensorFingerprint(hex, { ...key, inputs: { y, x }, outputs: ['q', 'p'] }),
    );
  });

  it('tells bytes apart that strings and shapes could make look alike', () => {
    const key = { modelId: 'a', weightsSha256: 'w' };
    const bytes = (data: readonly string[]) =>
      tensorFingerprint(hex, { ...key, inputs: { x: { datatype: 'BYTES', shape: [2], data } } });
    expect(bytes(['ab', 'c'])).not.toBe(bytes(['a', 'bc']));
    const shaped = (dims: number[]) =>
      tensorFingerprint(hex, { ...key, inputs: { x: { datatype: 'INT8', shape: dims, data: Int8Array.of(1, 2) } } });
    expect(shaped([1, 2])).not.toBe(shaped([2, 1]));
  });

  it('tells all outputs from none', () => {
    const key = { modelId: 'a', weightsSha256: 'w', inputs: {} };
    expect(tensorFingerprint(hex, { ...key, outputs: [] })).not.toBe(tensorFingerprint(hex, key));
  });

  it('holds inputs of any size', () => {
    const key = { modelId: 'a', weightsSha256: 'w' };
    const data = Float32Array.from({ length: 5000 }, (_, index) => index);
    const bytes = tensorFingerprint(hex, { ...key, inputs: { x: { datatype: 'FP32', shape: [5000], data } } });
    expect(bytes).toContain(hex(new Uint8Array(data.buffer)));
  });
});
