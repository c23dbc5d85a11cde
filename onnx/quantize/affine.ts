/** Smallest normal 32-bit float: a smaller step is taken for a constant zero. */
const FLOAT_TINY = 1.1754943508222875e-38;

/** A mapping of real numbers to 8-bit integers. */
export interface Grid {
  /** Signed weights multiply fastest; activations must be unsigned on x86. */
  readonly signed: boolean;
  /** Zero is in the middle, so that the zero point is a constant. */
  readonly symmetric: boolean;
  /** Uses 7 of 8 bits, for processors whose 16-bit accumulation would saturate (x86 without VNNI). */
  readonly reduceRange: boolean;
}

/** `real = scale * (quantized - zeroPoint)`; `scale` is a 32-bit float. */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The least and the greatest of some real numbers. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Whole numbers with the scales and zero points that give them their meaning. */
export interface Dequantizable {
  readonly values: Int8Array | Uint8Array | Int32Array;
  readonly scales: Float32Array;
  readonly zeroPoints: Int8Array | Uint8Array | Int32Array;
  /** Axis of the channels; undefined when one pair serves the whole tensor. */
  readonly axis: number | undefined;
}

/** Quantized elements with one pair of scale and zero point for the tensor, or one for each channel. */
export interface Quantized extends Dequantizable {
  readonly values: Int8Array | Uint8Array;
  readonly zeroPoints: Int8Array | Uint8Array;
}

/** Rounds to the nearest whole number, halves to the even one, as IEEE 754 and numpy do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function gridLimits({ signed, symmetric, reduceRange }: Grid): readonly [number, number] {
  if (!signed) return reduceRange ? [0, 127] : [0, 255];
  if (reduceRange) return [-64, 64];
  return symmetric ? [-127, 127] : [-128, 127];
}

/**
 * Returns the scale and zero point by which a grid covers a range of real numbers, zero always included.
 *
 * The arithmetic, its precision and its order are those of `compute_scale_zp` in onnxruntime 1.30's Python quantizer.
 */
export function affineOf(range: Range, grid: Grid): Affine {
  const [low, high] = gridLimits(grid);
  let min = Math.min(range.min, 0);
  let max = Math.max(range.max, 0);
  if (grid.symmetric) {
    max = Math.max(-min, max);
    min = -max;
  }
  const scale = Math.fround(max - min) / (high - low);
  if (scale < FLOAT_TINY) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = grid.symmetric ? roundHalfEven((low + high) / 2) : roundHalfEven(low - min / scale);
  return { scale: Math.fround(scale), zeroPoint };
}

function emptyLike(signed: boolean, length: number): Int8Array | Uint8Array {
  return signed ? new Int8Array(length) : new Uint8Array(length);
}

/** Elements of one channel: stretches of `run` neighbours, one every `step` elements from `start` on. */
interface Channel {
  readonly start: number;
  readonly run: number;
  readonly step: number;
}

function channelRange(values: Float32Array, { start, run, step }: Channel): Range {
  let min = 0;
  let max = 0;
  for (let first = start; first < values.length; first += step) {
    for (let index = first; index < first + run; index++) {
      const value = values[index] ?? 0;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return { min, max };
}

function quantizeChannel(
  values: Float32Array,
  quantized: Int8Array | Uint8Array,
  { start, run, step }: Channel,
  { scale, zeroPoint }: Affine,
): void {
  const [low, high] = quantized instanceof Int8Array ? [-128, 127] : [0, 255];
  for (let first = start; first < values.length; first += step) {
    for (let index = first; index < first + run; index++) {
      const rounded = roundHalfEven(Math.fround((values[index] ?? 0) / scale)) + zeroPoint;
      quantized[index] = Math.min(Math.max(rounded, low), high);
    }
  }
}

/** Quantizes a tensor of finite elements with one scale and zero point. */
export function quantizePerTensor(values: Float32Array, grid: Grid): Quantized {
  const whole: Channel = { start: 0, run: values.length, step: Math.max(values.length, 1) };
  const affine = affineOf(channelRange(values, whole), grid);
  const quantized = emptyLike(grid.signed, values.length);
  quantizeChannel(values, quantized, whole, affine);
  const zeroPoints = emptyLike(grid.signed, 1).fill(affine.zeroPoint);
  return { values: quantized, scales: Float32Array.of(affine.scale), zeroPoints, axis: undefined };
}

/**
 * Quantizes a tensor of finite elements with one scale and zero point for each index of an axis.
 *
 * @param shape - Length of each dimension; its product is the number of elements.
 * @param axis - Axis of the channels, counted from 0.
 * @param adjustScale - May replace the scale of a channel before its elements are quantized.
 */
export function quantizePerChannel(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
  grid: Grid,
  adjustScale: (scale: number, channel: number) => number = (scale) => scale,
): Quantized {
  const channels = shape[axis] ?? 1;
  const run = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const quantized = emptyLike(grid.signed, values.length);
  const scales = new Float32Array(channels);
  const zeroPoints = emptyLike(grid.signed, channels);
  for (let index = 0; index < channels; index++) {
    const channel: Channel = { start: index * run, run, step: channels * run };
    const { scale, zeroPoint } = affineOf(channelRange(values, channel), grid);
    const adjusted = Math.fround(adjustScale(scale, index));
    scales[index] = adjusted;
    zeroPoints[index] = zeroPoint;
    quantizeChannel(values, quantized, channel, { scale: adjusted, zeroPoint });
  }
  return { values: quantized, scales, zeroPoints, axis };
}

/** Returns the real numbers that quantized elements stand for. */
export function dequantize(
  { values, scales, zeroPoints, axis }: Dequantizable,
  shape: readonly number[],
): Float32Array {
  const run =
    axis === undefined ? values.length : shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const floats = new Float32Array(values.length);
  for (let start = 0, channel = 0; start < values.length; start += run, channel = (channel + 1) % scales.length) {
    const zeroPoint = zeroPoints[channel] ?? 0;
    const scale = scales[channel] ?? 1;
    for (let index = start; index < start + run; index++) floats[index] = ((values[index] ?? 0) - zeroPoint) * scale;
  }
  return floats;
}
