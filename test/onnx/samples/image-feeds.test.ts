import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import encodePng, { init as initPng } from '@jsquash/png/encode.js';
import type { Datatype } from '../../../core/tensors/tensor.ts';
import type { ImageOptions } from '../../../onnx/samples/image-feeds.ts';
import type { ModelInput } from '../../../onnx/samples/model-inputs.ts';
import { openSamples } from '../../../onnx/samples/open-samples.ts';

let folder: string;

/** 8 x 8 pixels of one colour, made by mozjpeg. */
const JPEG = [
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wCEAAYGBgYHBgcICAcKCwoLCg8ODAwODxYQERAREBYiFRkVFRkVIh4kHhweJB42KiYmKjY+NDI0PkxERE',
  'xfWl98fKcBBgYGBgcGBwgIBwoLCgsKDw4MDA4PFhAREBEQFiIVGRUVGRUiHiQeHB4kHjYqJiYqNj40MjQ+TERETF9aX3x8p//CABEIAAgACAMB',
  'IQACEQEDEQH/xAAoAAEBAAAAAAAAAAAAAAAAAAAAAwEBAQAAAAAAAAAAAAAAAAAABgf/2gAMAwEAAhADEAAAAJA9I//EABQQAQAAAAAAAAAAAA',
  'AAAAAAAAD/2gAIAQEAAT8Af//EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQIBAT8Af//EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQMBAT8A',
  'f//Z',
].join('');

type Rgb = readonly [number, number, number];

async function png(width: number, height: number, colour: (x: number, y: number) => Rgb): Promise<Buffer> {
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(colour(x, y), (y * width + x) * 4);
  }
  return Buffer.from(await encodePng({ width, height, data, colorSpace: 'srgb' }));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tensorgate-images-'));
  const { resolve } = createRequire(import.meta.url);
  await initPng(new Uint8Array(readFileSync(resolve('@jsquash/png/codec/pkg/squoosh_png_bg.wasm'))));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const input = (shape: ModelInput['shape'], datatype: Datatype = 'FP32'): ModelInput[] => [
  { name: 'x', datatype, shape },
];

async function read(files: Readonly<Record<string, Buffer>>, inputs: readonly ModelInput[], image: ImageOptions = {}) {
  const pictures = mkdtempSync(join(folder, 'pictures-'));
  mkdirSync(pictures, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(pictures, name), bytes);
  const { feeds } = await openSamples(pictures, { inputs, image });
  return (await feeds.read(0))['x'];
}

/** One red and one blue pixel. */
const pair = () => png(2, 1, (x) => (x === 0 ? [255, 0, 51] : [0, 102, 255]));

describe('openSamples, with a folder of pictures', () => {
  it.each([
    ['planes of colours', [1, 3, 1, 2], {}, [1, 3, 1, 2], [1, 0, 0, 0.4, 0.2, 1]],
    ['colours of pixels', ['n', 1, 2, 3], {}, [1, 1, 2, 3], [1, 0, 0.2, 0, 0.4, 1]],
    ['blue first', ['n', 3, 1, 2], { order: 'bgr' }, [1, 3, 1, 2], [0.2, 1, 0, 0.4, 1, 0]],
    ['levels to 255', ['n', 3, 1, 2], { range: 255 }, [1, 3, 1, 2], [255, 0, 0, 102, 51, 255]],
    [
      'one mean and one deviation',
      ['n', 3, 1, 2],
      { mean: [0.5], std: [0.5] },
      [1, 3, 1, 2],
      [1, -1, -1, -0.2, -0.6, 1],
    ],
    ['a mean for each channel', ['n', 3, 1, 2], { mean: [1, 0.4, 0] }, [1, 3, 1, 2], [0, -1, -0.4, 0, 0.2, 1]],
  ] as const)('returns %s', async (_, declared, image, shape, expected) => {
    const tensor = await read({ 'a.png': await pair() }, input(declared), image);
    expect(tensor?.shape).toEqual(shape);
    Array.from(tensor?.data ?? [], Number).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5);
    });
  });

  it.each([
    ['UINT8', [255, 0, 0, 102, 51, 255]],
    ['FP64', [1, 0, 0, 102 / 255, 0.2, 1]],
    ['INT64', [255, 0, 0, 102, 51, 255]],
    ['UINT64', [255, 0, 0, 102, 51, 255]],
    ['FP16', [0x3c00, 0, 0, 0x3666, 0x3266, 0x3c00]],
  ] as const)('gives a model that accepts %s its own levels', async (datatype, expected) => {
    const tensor = await read({ 'a.png': await pair() }, input(['n', 3, 1, 2], datatype));
    Array.from(tensor?.data ?? [], Number).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5);
    });
  });

  it('gives grey to a model with one channel', async () => {
    const tensor = await read({ 'a.png': await png(1, 1, () => [100, 100, 100]) }, input(['n', 1, 1, 1]), {
      range: 255,
    });
    expect(Number(tensor?.data[0])).toBeCloseTo(100, 3);
  });

  it('averages the pixels of a picture that it makes smaller', async () => {
    const board = await png(8, 8, (x, y) => ((x + y) % 2 === 0 ? [255, 255, 255] : [0, 0, 0]));
    const tensor = await read({ 'a.png': board }, input(['n', 3, 'h', 'w']), { size: [2, 2] });
    for (const value of tensor?.data ?? []) expect(Number(value)).toBeCloseTo(0.5, 1);
  });

  it('crops two sides if the picture must cover the input', async () => {
    const stripes = await png(6, 2, (x) => (x < 2 || x > 3 ? [0, 0, 0] : [255, 255, 255]));
    const tensor = await read({ 'a.png': stripes }, input(['n', 3, 2, 2]), { fit: 'cover' });
    expect(Array.from(tensor?.data ?? [], Number)).toEqual(new Array(12).fill(1));
  });

  it('reads JPEG files', async () => {
    const jpeg = Buffer.from(JPEG, 'base64');
    const tensor = await read({ 'a.JPG': jpeg }, input(['n', 3, 8, 8]), { range: 255 });
    const planes = [0, 64, 128].map((start) => Number(tensor?.data[start]));
    for (const [plane, level] of [200, 100, 50].entries()) {
      expect(Math.abs((planes[plane] ?? 0) - level)).toBeLessThanOrEqual(3);
    }
  });

  it.each([
    ['is not a picture', { 'a.png': Buffer.from('hello') }, input(['n', 3, 2, 2]), /a.png is not a JPEG or PNG file/],
    ['is damaged', { 'a.png': Buffer.from('\x89PNG\r\n', 'latin1') }, input(['n', 3, 2, 2]), /a.png cannot be decoded/],
  ])('fails with INVALID_PARAMETER when a file %s', async (_, files, inputs, message) => {
    await expect(read(files, inputs)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ['several inputs', [...input(['n', 3, 2, 2]), ...input(['n'])], /pictures need a model with one input/],
    ['no picture', input(['n', 16]), /pictures need a model with one input/],
    ['a batch of a fixed size', input([4, 3, 2, 2]), /pictures need a model with one input/],
    ['other channels', input(['n', 7, 2, 2]), /pictures need a model with one input/],
    ['any size', input(['n', 3, 'h', 'w']), /takes pictures of any size, .*: give one with --image-size/],
    ['texts', input(['n', 3, 1, 2], 'BYTES'), /takes texts/],
  ])('fails with INVALID_PARAMETER when the model accepts %s', async (_, inputs, message) => {
    await expect(read({ 'a.png': await pair() }, inputs)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(message),
    });
  });
});
