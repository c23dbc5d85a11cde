import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Datatype, ELEMENTS } from '../../../core/tensors/tensor.ts';
import { readAll } from '../../../onnx/runtime/feeds.ts';
import type { ModelInput } from '../../../onnx/samples/model-inputs.ts';
import { openSamples } from '../../../onnx/samples/open-samples.ts';
import { zipOf } from './zip-file.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-arrays-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A file as numpy writes it, format version 1. */
function npy(descr: string, shape: readonly number[], data: Uint8Array, others = "'fortran_order': False"): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', ${others}, 'shape': (${sizes}), }`;
  const header = `${text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header, 'latin1'), data]);
}

const bytes = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const float32 = (shape: readonly number[], values: readonly number[]) =>
  npy('<f4', shape, bytes(Float32Array.from(values)));

async function read(name: string, content: Buffer, inputs: readonly ModelInput[]) {
  const path = join(folder, name);
  writeFileSync(path, content);
  const samples = await openSamples(path, { inputs });
  try {
    return await readAll(samples.feeds);
  } finally {
    samples.close();
  }
}

const x = (shape: ModelInput['shape'], datatype: Datatype = 'FP32'): ModelInput[] => [{ name: 'x', datatype, shape }];

describe('openSamples, with a .npy file', () => {
  it('takes the rows of an array with the dimensions of the input one by one', async () => {
    const feeds = await read('a.npy', float32([2, 3], [1, 2, 3, 4, 5, 6]), x(['n', 3]));
    expect(feeds.map((feed) => feed['x'])).toEqual([
      { datatype: 'FP32', shape: [1, 3], data: Float32Array.of(1, 2, 3) },
      { datatype: 'FP32', shape: [1, 3], data: Float32Array.of(4, 5, 6) },
    ]);
  });

  it('takes as many rows at a time as the model declares', async () => {
    const feeds = await read('a.npy', float32([4, 1], [1, 2, 3, 4]), x([2, 1]));
    expect(feeds.map((feed) => feed['x']?.shape)).toEqual([
      [2, 1],
      [2, 1],
    ]);
    await expect(read('a.npy', float32([3, 1], [1, 2, 3]), x([2, 1]))).rejects.toThrow(
      /has 3 rows, must be a multiple of the 2 that the model takes at a time/,
    );
  });

  it('takes the parts of an array with one dimension more whole, scalars included', async () => {
    const feeds = await read('a.npy', float32([2, 1, 2], [1, 2, 3, 4]), x([1, 2]));
    expect(feeds.map((feed) => feed['x']?.shape)).toEqual([
      [1, 2],
      [1, 2],
    ]);
    const scalars = await read('a.npy', float32([3], [7, 8, 9]), x([]));
    expect(scalars[1]?.['x']).toEqual({ datatype: 'FP32', shape: [], data: Float32Array.of(8) });
  });

  it.each([
    ['<f8', Float64Array.of(0.5, -2), 'FP32', [0.5, -2]],
    ['<f8', Float64Array.of(0.5, -2), 'FP16', [0x3800, 0xc000]],
    ['<f2', Uint16Array.of(0x3800, 0xc000), 'FP32', [0.5, -2]],
    ['<i8', BigInt64Array.of(3n, -4n), 'INT32', [3, -4]],
    ['<i8', BigInt64Array.of(3n, -4n), 'FP32', [3, -4]],
    ['<i4', Int32Array.of(3, -4), 'INT64', [3n, -4n]],
    ['<u2', Uint16Array.of(3, 4), 'UINT64', [3n, 4n]],
    ['|u1', Uint8Array.of(3, 4), 'FP64', [3, 4]],
    ['|b1', Uint8Array.of(1, 0), 'BOOL', [1, 0]],
  ] as const)('gives elements of type %s to a model that accepts %s', async (descr, data, datatype, expected) => {
    const [feed] = await read('a.npy', npy(descr, [1, 2], bytes(data)), x(['n', 2], datatype));
    expect(feed?.['x']?.datatype).toBe(datatype);
    expect(feed?.['x']?.data).toBeInstanceOf(ELEMENTS[datatype]);
    expect(Array.from<unknown>(feed?.['x']?.data ?? [])).toEqual(expected);
  });

  it('reads texts', async () => {
    const codes = Uint32Array.from(['a', 'b', '\0', 'é', '\0', '\0'], (character) => character.codePointAt(0) ?? 0);
    const feeds = await read('a.npy', npy('<U3', [2], bytes(codes)), x(['n'], 'BYTES'));
    expect(feeds.map((feed) => feed['x']?.data)).toEqual([['ab'], ['é']]);
  });

  it.each([
    ['is none', Buffer.from('hello'), x(['n']), /is not a .npy file/],
    ['ends too early', float32([2, 3], [1, 2]), x(['n', 3]), /ends before element 3 of 6/],
    ['holds objects', npy('|O', [1], new Uint8Array(8)), x(['n']), /has elements of type \|O, must be one of \|b1/],
    ['is big-endian', npy('>f4', [1], new Uint8Array(4)), x(['n']), /has elements of type >f4/],
    ['is in Fortran order', npy('<f4', [1], new Uint8Array(4), "'fortran_order': True"), x(['n']), /Fortran order/],
    ['has another rank', float32([2], [1, 2]), x(['n', 3, 4]), /has 1 dimensions, must have 3 or 4/],
    ['has another length', float32([1, 2], [1, 2]), x(['n', 3]), /has x of shape \[1, 2\], the model takes x FP32/],
    ['has floats for whole numbers', float32([1], [1]), x(['n'], 'INT64'), /is FP32, the model takes INT64/],
    [
      'is out of range',
      npy('<i4', [1], bytes(Int32Array.of(300))),
      x(['n'], 'UINT8'),
      /holds 300, which is out of the/,
    ],
    ['has no samples', float32([0, 3], []), x(['n', 3]), /holds no inputs/],
  ])('fails with INVALID_PARAMETER when the file %s', async (_, content, inputs, message) => {
    await expect(read('a.npy', content, inputs)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });

  it('fails with INVALID_PARAMETER when the model accepts several inputs', async () => {
    const inputs = [...x(['n']), { ...x(['n'])[0], name: 'z' } as ModelInput];
    await expect(read('a.npy', float32([1], [1]), inputs)).rejects.toThrow(/holds one array, the model takes x, z/);
  });
});

describe('openSamples, with a .npz file', () => {
  const inputs: ModelInput[] = [
    { name: 'in/ids', datatype: 'INT64', shape: ['n', 2] },
    { name: 'sr', datatype: 'INT64', shape: [] },
  ];
  const ids = npy('<i8', [2, 2], bytes(BigInt64Array.of(1n, 2n, 3n, 4n)));
  const rates = npy('<i8', [2], bytes(BigInt64Array.of(8000n, 16_000n)));

  it.each([
    ['stored', (data: Buffer) => data, 0],
    ['compressed', (data: Buffer) => deflateRawSync(data), 8],
  ] as const)('takes an array for each input, %s', async (_, pack, method) => {
    const zip = zipOf({ 'in/ids.npy': ids, 'sr.npy': rates }, pack, method);
    const feeds = await read('a.npz', zip, inputs);
    expect(feeds.map((feed) => [feed['in/ids']?.shape, feed['sr']?.data])).toEqual([
      [[1, 2], BigInt64Array.of(8000n)],
      [[1, 2], BigInt64Array.of(16_000n)],
    ]);
  });

  it('leaves nothing behind that was unpacked', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('tensorgate-npz-'));
    await read('a.npz', zipOf({ 'in/ids.npy': ids, 'sr.npy': rates }), inputs);
    await expect(read('a.npz', zipOf({ 'x.npy': ids }), inputs)).rejects.toThrow();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('tensorgate-npz-'))).toEqual(before);
  });

  it.each([
    ['lacks an array', zipOf({ 'sr.npy': rates }), /lacks in\/ids: the model takes in\/ids, sr/],
    [
      'has another array',
      zipOf({ 'in/ids.npy': ids, 'sr.npy': rates, 'z.npy': ids }),
      /has z, which the model does not/,
    ],
    [
      'holds unequally many samples',
      zipOf({ 'in/ids.npy': ids, 'sr.npy': npy('<i8', [1], new Uint8Array(8)) }),
      /in\/ids of .* holds 2 samples, sr of .* 1: they must contain equally many/,
    ],
    ['is not an archive', Buffer.from('hello'), /cannot be read as a .npz archive/],
    ['holds something else', zipOf({ 'readme.txt': Buffer.from('hello') }), /readme.txt of .* is not a .npy file/],
  ])('fails with INVALID_PARAMETER when the file %s', async (_, content, message) => {
    await expect(read('a.npz', content, inputs)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });
});
