import { AppError } from '../../core/errors.ts';
import type { FreshNames } from '../format/fresh-names.ts';
import type { TensorProto } from '../format/onnx-messages.ts';
import { readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import { type Grid, type Quantized, quantizePerChannel, quantizePerTensor } from './affine.ts';

/** Names of the constants that stand for one quantized weight. */
export interface WeightNames {
  readonly quantized: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** A quantized weight and what its constants are called. */
export interface QuantizedWeight {
  readonly names: WeightNames;
  readonly quantized: Quantized;
}

/** How a weight is laid out. */
export interface WeightLayout {
  readonly grid: Grid;
  /** Axis of the channels, undefined for one scale for the whole tensor. */
  readonly axis: number | undefined;
}

/** Options for quantizing a weight. */
export interface WeightOptions extends WeightLayout {
  /** May replace the scale of a channel before its elements are quantized. */
  readonly adjustScale?: (scale: number, channel: number) => number;
  /** Stores a matrix with its rows as columns. Defaults to false. */
  readonly transposed?: boolean;
  /** Factor of each index of the other axis of a matrix, applied before it is quantized. Defaults to none. */
  readonly inputFactors?: Float32Array | undefined;
}

/** Returns the grid of weights: signed and symmetric, so that the zero point drops out of the multiplication. */
export function weightGrid(reduceRange: boolean): Grid {
  return { signed: true, symmetric: true, reduceRange };
}

/** Grid of look-up tables and activations: unsigned, every value of the byte used. */
export const UNSIGNED_GRID: Grid = { signed: false, symmetric: false, reduceRange: false };

/** Multiplies a matrix along the axis that is not the one of its channels. */
function scaleInputs(
  values: Float32Array,
  shape: readonly number[],
  axis: number | undefined,
  factors: Float32Array,
): Float32Array {
  const columns = shape[1] ?? 1;
  return values.map(
    (value, index) => value * (factors[axis === 0 ? index % columns : Math.floor(index / columns)] ?? 1),
  );
}

function transpose(values: Int8Array | Uint8Array, [rows = 1, columns = 1]: readonly number[]): Int8Array | Uint8Array {
  const transposed = values.slice();
  for (let index = 0; index < values.length; index++) {
    transposed[(index % columns) * rows + Math.floor(index / columns)] = values[index] ?? 0;
  }
  return transposed;
}

/** Quantized weights of one model, each made once however many nodes read it. */
export class QuantizedWeights {
  readonly #originals: ReadonlyMap<string, TensorProto>;
  readonly #names: FreshNames;
  readonly #made = new Map<string, QuantizedWeight>();
  readonly #constants: TensorProto[] = [];

  /** @param names - Names that the model does not use yet. */
  constructor(originals: ReadonlyMap<string, TensorProto>, names: FreshNames) {
    this.#originals = originals;
    this.#names = names;
  }

  /** Constants that the quantized weights need. */
  get constants(): readonly TensorProto[] {
    return this.#constants;
  }

  /**
   * Quantizes a constant of the model. The first node that reads it decides how; later ones share the result.
   *
   * @throws AppError `ONNX_INVALID` when the constant does not exist or holds NaN or infinity.
   */
  quantize(name: string, options: WeightOptions): QuantizedWeight {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const quantized = this.#compute(name, options);
    const made = { quantized, names: this.#store(name, quantized, options.transposed ?? false) };
    this.#made.set(name, made);
    return made;
  }

  #compute(name: string, { grid, axis, adjustScale, inputFactors }: WeightOptions): Quantized {
    const tensor = this.#originals.get(name);
    if (tensor === undefined) throw new AppError('ONNX_INVALID', `the model has no constant named ${name}`);
    const original = readFloats(tensor);
    const values = inputFactors === undefined ? original : scaleInputs(original, shapeOf(tensor), axis, inputFactors);
    if (!values.every(Number.isFinite)) throw new AppError('ONNX_INVALID', `constant ${name} holds NaN or infinity`);
    if (axis === undefined) return quantizePerTensor(values, grid);
    return quantizePerChannel(values, shapeOf(tensor), axis, grid, adjustScale);
  }

  /** Names and shapes are those of onnxruntime's Python quantizer, unless the model uses the names already. */
  #store(name: string, { values, scales, zeroPoints, axis }: Quantized, isTransposed: boolean): WeightNames {
    const names = {
      quantized: this.#names.tensor(`${name}_quantized`),
      scale: this.#names.tensor(`${name}_scale`),
      zeroPoint: this.#names.tensor(`${name}_zero_point`),
    };
    const parameterShape = axis === undefined ? [] : [scales.length];
    const original = this.#originals.get(name);
    const shape = original === undefined ? [] : shapeOf(original);
    this.#constants.push(
      isTransposed
        ? tensorProto(names.quantized, shape.toReversed(), transpose(values, shape))
        : tensorProto(names.quantized, shape, values),
      tensorProto(names.scale, parameterShape, scales),
      tensorProto(names.zeroPoint, parameterShape, zeroPoints),
    );
    return names;
  }
}
