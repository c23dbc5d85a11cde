import { readFile } from 'node:fs/promises';
import { AppError } from '../../core/errors.ts';
import { ELEMENTS, elementCount, type Tensor } from '../../core/tensors/tensor.ts';
import type { Feeds } from '../runtime/feeds.ts';
import { cropImage, decodeImage, type Picture, resizeImage } from './decode-image.ts';
import { type ModelInput, writeInput } from './model-inputs.ts';

/** How pictures become inputs of a model. */
export interface ImageOptions {
  /** Height and width. Defaults to what the model declares. */
  readonly size?: readonly [number, number] | undefined;
  /** `stretch` changes the proportions; `cover` cuts off what is too much at two sides. Defaults to `stretch`. */
  readonly fit?: 'stretch' | 'cover';
  /** Value of white before mean and standard deviation. Defaults to 1 for floats and 255 for whole numbers. */
  readonly range?: number | undefined;
  /** Taken from each channel. Defaults to 0. */
  readonly mean?: readonly number[] | undefined;
  /** Each channel is divided by it. Defaults to 1. */
  readonly std?: readonly number[] | undefined;
  /** Order of the channels. Defaults to `rgb`. */
  readonly order?: 'rgb' | 'bgr';
}

/** Layout of the pictures that a model takes. */
interface Frame {
  readonly input: ModelInput;
  readonly height: number;
  readonly width: number;
  /** 1 for grey, 3 for colours. */
  readonly channels: number;
  /** Whether the channels come before rows and columns. */
  readonly isPlanar: boolean;
}

/** Shares of red, green and blue in grey (ITU-R BT.601, as Pillow converts). */
const GREY = [0.299, 0.587, 0.114] as const;

/**
 * Turns picture files into inputs of a model, one each. They are decoded when they are read.
 *
 * @param inputs - Inputs of the model: exactly one, `[n, channels, height, width]` or `[n, height, width, channels]`.
 * @throws AppError `INVALID_PARAMETER` when the model takes something else, or leaves open a size that is not given.
 */
export function imageFeeds(paths: readonly string[], inputs: readonly ModelInput[], options: ImageOptions): Feeds {
  const frame = frameOf(inputs, options);
  return {
    count: paths.length,
    read: async (index) => {
      const path = paths[index] ?? '';
      const picture = await decodeImage(new Uint8Array(await readFile(path)), path);
      return { [frame.input.name]: tensorOf(await fitted(picture, frame, options), frame, options) };
    },
  };
}

function frameOf(inputs: readonly ModelInput[], { size }: ImageOptions): Frame {
  const [input, ...others] = inputs;
  const shape = input?.shape ?? [];
  const isImage = input !== undefined && others.length === 0 && shape.length === 4 && mayBeOne(shape[0]);
  const isPlanar = isPlanarShape(shape);
  const [channels, height, width] = isPlanar ? [shape[1], shape[2], shape[3]] : [shape[3], shape[1], shape[2]];
  if (!isImage || (typeof channels === 'number' && !isChannels(channels))) {
    throw wrong(
      `pictures need a model with one input [n, 1 or 3, height, width] or [n, height, width, 1 or 3], this one takes ${inputs.map(writeInput).join(', ')}; save tensors as .npy instead`,
    );
  }
  const [tall, wide] = size ?? [height, width];
  if (typeof tall !== 'number' || typeof wide !== 'number') {
    throw wrong(`the model takes pictures of any size, ${writeInput(input)}: give one with --image-size`);
  }
  return { input, height: tall, width: wide, channels: channels === 1 ? 1 : 3, isPlanar };
}

/** Returns whether a dimension is one or varies. */
function mayBeOne(length: number | string | undefined): boolean {
  return typeof length === 'string' || length === 1;
}

/** Returns whether channels come first. Three of them at either end are better evidence than a single one. */
function isPlanarShape([, first, , last]: readonly (number | string)[]): boolean {
  if (first === 3 || last === 3) return first === 3;
  return isChannels(first) || !isChannels(last);
}

function isChannels(length: number | string | undefined): boolean {
  return length === 1 || length === 3;
}

async function fitted(
  picture: Picture,
  { width, height }: Frame,
  { fit: how = 'stretch' }: ImageOptions,
): Promise<Picture> {
  if (how === 'stretch') return resizeImage(picture, width, height);
  const scale = Math.min(picture.width / width, picture.height / height);
  const part = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const [x, y] = [Math.floor((picture.width - part.width) / 2), Math.floor((picture.height - part.height) / 2)];
  return resizeImage(cropImage(picture, { ...part, x, y }), width, height);
}

function tensorOf(
  { data }: Picture,
  { input, height, width, channels, isPlanar }: Frame,
  options: ImageOptions,
): Tensor {
  const { datatype = 'FP32' } = input;
  if (datatype === 'BYTES') throw wrong(`the model takes texts, ${writeInput(input)}, not pictures`);
  const isFloat = ['FP16', 'FP32', 'FP64'].includes(datatype);
  const { range = isFloat ? 1 : 255, mean = [], std = [], order = 'rgb' } = options;
  const pixels = height * width;
  const values = new Float32Array(pixels * channels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const level = (levelOf(data, pixel, channels, order === 'rgb' ? channel : 2 - channel) / 255) * range;
      const place = isPlanar ? channel * pixels + pixel : pixel * channels + channel;
      values[place] = (level - partOf(mean, channel, 0)) / partOf(std, channel, 1);
    }
  }
  const shape = isPlanar ? [1, channels, height, width] : [1, height, width, channels];
  if (datatype === 'FP16') return { datatype, shape, data: new Uint16Array(Float16Array.from(values).buffer) };
  if (datatype === 'INT64')
    return { datatype, shape, data: BigInt64Array.from(values, (value) => BigInt(Math.round(value))) };
  if (datatype === 'UINT64')
    return { datatype, shape, data: BigUint64Array.from(values, (value) => BigInt(Math.round(value))) };
  if (datatype === 'FP32') return { datatype, shape, data: values };
  const array = new ELEMENTS[datatype](elementCount(shape));
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    array[index] = isFloat ? value : Math.round(value);
  }
  return { datatype, shape, data: array };
}

function levelOf(data: Picture['data'], pixel: number, channels: number, channel: number): number {
  if (channels === 3) return data[pixel * 4 + channel] ?? 0;
  return GREY.reduce((sum, share, index) => sum + share * (data[pixel * 4 + index] ?? 0), 0);
}

/** One number for all channels, or one for each. */
function partOf(numbers: readonly number[], channel: number, otherwise: number): number {
  return numbers[channel] ?? numbers[0] ?? otherwise;
}

function wrong(message: string): AppError {
  return new AppError('INVALID_PARAMETER', message, { param: 'inputs' });
}
