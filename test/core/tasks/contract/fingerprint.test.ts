import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Rows, TaskCompute, TaskContext, Tensors } from '../../../../core/tasks/contract/task.ts';
import type { EmbeddingContext } from '../../../../core/tasks/embedding/embedding-model.ts';
import { EMBEDDING_TASK } from '../../../../core/tasks/embedding/embedding-task.ts';
import type { PoolingSettings } from '../../../../core/tasks/embedding/pooling.ts';
import { TENSOR_TASK } from '../../../../core/tasks/tensor/tensor-task.ts';
import type { Tensor } from '../../../../core/tensors/tensor.ts';
import { embeddingContext } from '../contexts.ts';

/** The canonical bytes themselves, so that properties are about them and not about a hash. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Everything that an embedding depends on. */
interface EmbeddingKey extends PoolingSettings {
  readonly modelId: string;
  readonly sha256: string;
  readonly compute: TaskCompute;
  readonly ids: readonly number[];
}

/** Everything that the outputs of a tensor model depend on. */
interface TensorKey {
  readonly modelId: string;
  readonly sha256: string;
  readonly inputs: Tensors;
}

const LAMBDA: TaskCompute = { target: 'lambda' };
const TRITON: TaskCompute = { target: 'sagemaker', container: 'triton', tensorRt: false };
const COMPUTES: readonly TaskCompute[] = [
  LAMBDA,
  TRITON,
  { ...TRITON, tensorRt: true },
  { ...TRITON, container: 'tei' },
  { ...TRITON, image: 'own' },
];

const name = fc.string({ unit: 'grapheme', maxLength: 5 });
const embeddingKey: fc.Arbitrary<EmbeddingKey> = fc.record({
  modelId: name,
  sha256: name,
  compute: fc.constantFrom(...COMPUTES),
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
const tensorKey: fc.Arbitrary<TensorKey> = fc.record({
  modelId: name,
  sha256: name,
  inputs: fc.dictionary(name, tensor, { maxKeys: 2, noNullPrototype: true }),
});

function ofEmbedding({ modelId, sha256, compute, pooling, normalize, ids }: EmbeddingKey, hash = hex): string {
  const usual = embeddingContext();
  const context: EmbeddingContext = {
    ...usual,
    model: { ...usual.model, id: modelId, compute, embedding: { pooling, normalize, acceptTokenIds: false } },
    version: { name: '1', packed: { sha256, inputs: [], outputs: [] } },
  };
  return EMBEDDING_TASK.fingerprint(hash, ids, context);
}

function ofTensors({ modelId, sha256, inputs }: TensorKey, rows?: Rows): string {
  const { model } = embeddingContext();
  const context: TaskContext = {
    model: { ...model, id: modelId },
    version: { name: '1', packed: { sha256, inputs: [], outputs: [], rows } },
    ports: {},
  };
  return TENSOR_TASK.fingerprint(hex, inputs, context);
}

/** One text for each key, the order of names aside. */
function identityOf(key: TensorKey): string {
  const inputs = Object.entries(key.inputs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([input, { datatype, shape: dims, data }]) => [input, datatype, dims, Array.from(data as Iterable<unknown>)]);
  return JSON.stringify([key.modelId, key.sha256, inputs]);
}

const KEY: EmbeddingKey = {
  modelId: 'a',
  sha256: 'w',
  compute: LAMBDA,
  pooling: 'mean',
  normalize: true,
  ids: [1, 2],
};

describe('the fingerprint of an embedding', () => {
  test('two embeddings have the same fingerprint exactly if everything that they depend on is the same', () => {
    fc.assert(
      fc.property(embeddingKey, embeddingKey, (a, b) => {
        const identity = ({ modelId, sha256, compute, pooling, normalize, ids }: EmbeddingKey) =>
          JSON.stringify([modelId, sha256, compute, pooling, normalize, ids]);
        expect(ofEmbedding(a) === ofEmbedding(b)).toBe(identity(a) === identity(b));
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[string, Partial<EmbeddingKey>]>([
    ['model', { modelId: 'b' }],
    ['weights', { sha256: 'x' }],
    ['pooling', { pooling: 'cls' }],
    ['normalization', { normalize: false }],
    ['order of ids', { ids: [2, 1] }],
    ['number of ids', { ids: [1, 2, 0] }],
    ['target', { compute: TRITON }],
  ])('the fingerprint of an embedding changes with the %s', (_, change) => {
    expect(ofEmbedding({ ...KEY, ...change })).not.toBe(ofEmbedding(KEY));
  });

  test('the fingerprint changes with the container, with TensorRT and with the image of an endpoint', () => {
    expect(new Set(COMPUTES.map((compute) => ofEmbedding({ ...KEY, compute }))).size).toBe(COMPUTES.length);
  });

  test('the fingerprints of models in functions are those of earlier releases, so that their caches stay warm', () => {
    const fields = ['embedding/1', 'a', 'w', 'mean'].map((text) => `${lengthOf(text.length)}${hex(Buffer.from(text))}`);
    expect(ofEmbedding(KEY)).toBe(`${fields.join('')}${lengthOf(1)}${lengthOf(8)}0100000002000000`);
  });

  test('one field cannot run into the next', () => {
    expect(ofEmbedding({ ...KEY, modelId: 'ab', sha256: 'c' })).not.toBe(
      ofEmbedding({ ...KEY, modelId: 'a', sha256: 'bc' }),
    );
  });

  test('the fingerprint is the output of the hash', () => {
    expect(ofEmbedding(KEY, () => 'digest')).toBe('digest');
  });
});

/** A number as canonical bytes have it: 32 bits, little-endian. */
function lengthOf(value: number): string {
  return hex(new Uint8Array(Uint32Array.of(value).buffer));
}

describe('the fingerprint of tensors', () => {
  test('two results have the same fingerprint exactly if model, weights and inputs are the same', () => {
    fc.assert(
      fc.property(tensorKey, tensorKey, (a, b) => {
        expect(ofTensors(a) === ofTensors(b)).toBe(identityOf(a) === identityOf(b));
      }),
      { numRuns: 2000 },
    );
  });

  test('the fingerprint does not depend on the order in which inputs are named', () => {
    const x: Tensor = { datatype: 'FP32', shape: [1], data: Float32Array.of(1) };
    const y: Tensor = { datatype: 'BYTES', shape: [1], data: ['a'] };
    const key = { modelId: 'a', sha256: 'w' };
    expect(ofTensors({ ...key, inputs: { x, y } })).toBe(ofTensors({ ...key, inputs: { y, x } }));
  });

  test('a model whose rows depend on each other never reads results of rows that shared a run with others', () => {
    const key = { modelId: 'a', sha256: 'w', inputs: {} };
    expect(ofTensors(key, 'together')).not.toBe(ofTensors(key, 'independent'));
  });

  test('strings and shapes that look alike when joined have different fingerprints', () => {
    const key = { modelId: 'a', sha256: 'w' };
    const bytes = (data: readonly string[]) =>
      ofTensors({ ...key, inputs: { x: { datatype: 'BYTES', shape: [2], data } } });
    expect(bytes(['ab', 'c'])).not.toBe(bytes(['a', 'bc']));
    const shaped = (dims: number[]) =>
      ofTensors({ ...key, inputs: { x: { datatype: 'INT8', shape: dims, data: Int8Array.of(1, 2) } } });
    expect(shaped([1, 2])).not.toBe(shaped([2, 1]));
  });

  test('inputs of any size have a fingerprint', () => {
    const data = Float32Array.from({ length: 5000 }, (_, index) => index);
    const bytes = ofTensors({ modelId: 'a', sha256: 'w', inputs: { x: { datatype: 'FP32', shape: [5000], data } } });
    expect(bytes).toContain(hex(new Uint8Array(data.buffer)));
  });
});
