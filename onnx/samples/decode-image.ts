import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { AppError } from '../../core/errors.ts';

/** A picture: red, green, blue and opacity of each pixel, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

const { resolve } = createRequire(import.meta.url);

/** Read here, because the packages would fetch their WebAssembly from a server. */
async function webAssembly(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(resolve(file)));
}

let jpeg: Promise<typeof import('@jsquash/jpeg/decode.js')> | undefined;
let png: Promise<typeof import('@jsquash/png/decode.js')> | undefined;
let resizer: Promise<typeof import('@jsquash/resize')> | undefined;

async function openJpeg() {
  const decoder = await import('@jsquash/jpeg/decode.js');
  const wasmBinary = await webAssembly('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
  await decoder.init({ wasmBinary: wasmBinary.buffer });
  return decoder;
}

async function openPng() {
  const decoder = await import('@jsquash/png/decode.js');
  await decoder.init(await webAssembly('@jsquash/png/codec/pkg/squoosh_png_bg.wasm'));
  return decoder;
}

async function openResizer() {
  const library = await import('@jsquash/resize');
  await library.initResize(await webAssembly('@jsquash/resize/lib/resize/pkg/squoosh_resize_bg.wasm'));
  return library;
}

/**
 * Decodes a JPEG or PNG file.
 *
 * @param source - Name of the file in messages.
 * @throws AppError `INVALID_PARAMETER` when the bytes are neither or damaged.
 */
export async function decodeImage(bytes: Uint8Array<ArrayBuffer>, source: string): Promise<Picture> {
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  const isPng = bytes[0] === 0x89 && bytes[1] === 0x50;
  if (!isJpeg && !isPng)
    throw new AppError('INVALID_PARAMETER', `${source} is not a JPEG or PNG file`, { param: 'inputs' });
  const whole = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  try {
    if (isJpeg) {
      jpeg ??= openJpeg();
      return pictureOf(await (await jpeg).default(whole));
    }
    png ??= openPng();
    return pictureOf(await (await png).default(whole));
  } catch (cause) {
    throw new AppError('INVALID_PARAMETER', `${source} cannot be decoded`, { param: 'inputs', cause });
  }
}

/** Resizes a picture by the triangle filter, which averages when it shrinks, as Pillow's `BILINEAR` does. */
export async function resizeImage(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture;
  resizer ??= openResizer();
  const { default: resize } = await resizer;
  const options = { width, height, method: 'triangle', linearRGB: false, premultiply: false } as const;
  return pictureOf(await resize({ ...picture, colorSpace: 'srgb' }, options));
}

/** Returns a part of a picture. */
export function cropImage(
  { width, data }: Picture,
  part: { x: number; y: number; width: number; height: number },
): Picture {
  const cropped = new Uint8ClampedArray(part.width * part.height * 4);
  for (let row = 0; row < part.height; row++) {
    const start = ((part.y + row) * width + part.x) * 4;
    cropped.set(data.subarray(start, start + part.width * 4), row * part.width * 4);
  }
  return { width: part.width, height: part.height, data: cropped };
}

function pictureOf({
  width,
  height,
  data,
}: {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}): Picture {
  return { width, height, data: Uint8ClampedArray.from(data) };
}
