import { AppError } from '../../core/errors.ts';
import { changed, initializersOf, makeNode, nodeName } from '../format/graph.ts';
import { type GraphProto, type NodeProto, NodeProtoSchema, type TensorProto } from '../format/onnx-messages.ts';
import { readFloats, readIntegers, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import { Wiring } from '../format/wiring.ts';
import { dequantize } from '../quantize/affine.ts';

/** A tensor of whole numbers and what they mean, by the names of the tensors. */
export interface QuantizedTensor {
  readonly values: string;
  readonly scale: string;
  /** Undefined for zero. */
  readonly zeroPoint: string | undefined;
  /** Axis of the channels, negative from the end; without meaning for a single scale. */
  readonly axis: number;
}

/** Operators that only move the elements of their first input, so that they may come before or after a scaling. */
const MOVES = ['Gather', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Flatten', 'Expand', 'Identity'];

/** Operators whose results are never negative. */
const NOT_NEGATIVE = ['Relu', 'Softmax', 'Sigmoid', 'Abs', 'Exp', 'Sqrt'];

/** Least whole number of a type, by its array. */
function leastOf(values: ArrayBufferView): number {
  if (values instanceof Uint8Array) return 0;
  return values instanceof Int8Array ? -128 : -(2 ** 31);
}

/** Creates the error of a node whose quantization cannot be taken back. */
export function unfoldable(node: NodeProto, reason: string, cause?: unknown): AppError {
  return new AppError('ONNX_INVALID', `${node.opType} ${nodeName(node)} cannot be folded: ${reason}`, { cause });
}

/** Finds, or makes, the floating-point tensors that quantized ones stand for. */
export class RealTensors {
  readonly #wiring: Wiring;
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #names: Set<string>;
  readonly #aliases = new Map<string, string>();
  readonly #restored = new Map<string, TensorProto>();
  readonly #moved = new Map<string, string>();
  readonly #rectified = new Map<NodeProto, string>();
  readonly #folded = new Set<NodeProto>();
  #made: NodeProto[] = [];

  constructor(graph: GraphProto) {
    const outputs = graph.output.map(({ name }) => name);
    this.#wiring = new Wiring(graph.node, outputs);
    this.#constants = initializersOf(graph);
    this.#names = new Set([
      ...graph.input.map(({ name }) => name),
      ...this.#constants.keys(),
      ...graph.node.flatMap(({ output }) => output),
    ]);
  }

  /** Weights that were turned back into floats. */
  get constants(): readonly TensorProto[] {
    return [...this.#restored.values()];
  }

  /** Quantized activations that were traced back to floats. */
  get activations(): number {
    return this.#folded.size;
  }

  /** Lets another tensor stand for one that will not be made any more. */
  alias(name: string, real: string): void {
    this.#aliases.set(name, real);
  }

  /** Current name of a tensor. */
  nameOf(name: string): string {
    return this.#aliases.get(name) ?? name;
  }

  /** Nodes made since the last call; they belong before the node that asked for them. */
  takeNodes(): NodeProto[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }

  /**
   * Name of the floating-point tensor that a quantized one stands for.
   *
   * @param reader - The node that reads it, for messages.
   * @throws AppError `ONNX_INVALID` when there is none.
   */
  realOf(reader: NodeProto, tensor: QuantizedTensor): string {
    const constant = this.#constants.get(tensor.values);
    if (constant !== undefined) return this.#restore(reader, tensor, constant);
    const maker = this.#wiring.maker(tensor.values);
    if (maker?.opType === 'QuantizeLinear' || maker?.opType === 'DynamicQuantizeLinear') {
      return this.#beforeQuantization(reader, tensor, maker);
    }
    if (maker !== undefined && MOVES.includes(maker.opType) && maker.domain === '') {
      return this.#move(reader, tensor, maker);
    }
    const origin = maker === undefined ? 'an input of the model' : `the result of ${maker.opType} ${nodeName(maker)}`;
    throw unfoldable(reader, `it reads ${tensor.values}, ${origin}`);
  }

  #beforeQuantization(reader: NodeProto, tensor: QuantizedTensor, maker: NodeProto): string {
    const isDynamic = maker.opType === 'DynamicQuantizeLinear';
    const [scale, zeroPoint] = isDynamic ? maker.output.slice(1) : maker.input.slice(1);
    const isSame =
      sameNumbers(this.#scales(reader, scale), this.#scales(reader, tensor.scale), scale === tensor.scale) &&
      sameNumbers(
        this.#zeroPoints(reader, zeroPoint),
        this.#zeroPoints(reader, tensor.zeroPoint),
        zeroPoint === tensor.zeroPoint,
      );
    if (!isSame)
      throw unfoldable(reader, `its scale and zero point are not those of ${maker.opType} ${nodeName(maker)}`);
    this.#folded.add(maker);
    const real = this.nameOf(maker.input[0] ?? '');
    return isDynamic || !this.#cutsNegatives(maker, zeroPoint) ? real : this.#rectify(maker, real);
  }

  /** Undefined for a tensor that is not a constant. */
  #scales(reader: NodeProto, name: string | undefined): Float32Array | undefined {
    const tensor = this.#constants.get(name ?? '');
    return tensor === undefined ? undefined : explained(reader, () => readFloats(tensor));
  }

  /** A single zero where the zero point is left out, undefined for a tensor that is not a constant. */
  #zeroPoints(reader: NodeProto, name: string | undefined): Int8Array | Uint8Array | Int32Array | undefined {
    if (name === undefined || name === '') return Uint8Array.of(0);
    const tensor = this.#constants.get(name);
    return tensor === undefined ? undefined : explained(reader, () => readIntegers(tensor));
  }

  /** Quantizers drop a `Relu` that their range makes needless: then it is the range that cuts negatives off. */
  #cutsNegatives(maker: NodeProto, zeroPoint: string | undefined): boolean {
    const producer = this.#wiring.maker(maker.input[0]);
    if (producer !== undefined && NOT_NEGATIVE.includes(producer.opType)) return false;
    const zeroPoints = this.#zeroPoints(maker, zeroPoint);
    return zeroPoints?.every((value) => value === leastOf(zeroPoints)) ?? false;
  }

  #rectify(maker: NodeProto, real: string): string {
    const known = this.#rectified.get(maker);
    if (known !== undefined) return known;
    const name = this.#fresh(`${real}_rectified`);
    this.#made.push(makeNode('Relu', `${nodeName(maker)}_rectify`, [real], [name]));
    this.#rectified.set(maker, name);
    return name;
  }

  /** Moves the floats as the whole numbers were moved. */
  #move(reader: NodeProto, tensor: QuantizedTensor, maker: NodeProto): string {
    const scales = this.#scales(reader, tensor.scale);
    if (scales !== undefined && scales.length !== 1) {
      throw unfoldable(reader, `${maker.opType} ${nodeName(maker)} moves its channels, which have a scale each`);
    }
    const key = keyOf(tensor);
    const known = this.#moved.get(key);
    if (known !== undefined) return known;
    const input = this.realOf(reader, { ...tensor, values: maker.input[0] ?? '' });
    const output = this.#fresh(unquantizedName(tensor.values));
    const others = maker.input.slice(1).map((name) => this.nameOf(name));
    this.#made.push(changed(NodeProtoSchema, maker, { input: [input, ...others], output: [output] }));
    this.#moved.set(key, output);
    return output;
  }

  #restore(reader: NodeProto, tensor: QuantizedTensor, constant: TensorProto): string {
    const key = keyOf(tensor);
    const known = this.#restored.get(key);
    if (known !== undefined) return known.name;
    const values = explained(reader, () => readIntegers(constant));
    const scales = this.#scales(reader, tensor.scale);
    const zeroPoints = this.#zeroPoints(reader, tensor.zeroPoint);
    if (scales === undefined || zeroPoints === undefined) {
      throw unfoldable(reader, 'its scale and zero point must be constants');
    }
    const shape = shapeOf(constant);
    const axis = scales.length === 1 ? undefined : channelAxisOf(reader, shape, tensor.axis, scales.length);
    const floats = dequantize({ values, scales, zeroPoints: alike(zeroPoints, scales.length), axis }, shape);
    const restored = tensorProto(this.#fresh(unquantizedName(constant.name)), shape, floats);
    this.#restored.set(key, restored);
    return restored.name;
  }

  #fresh(requested: string): string {
    let name = requested;
    while (this.#names.has(name)) name += '_';
    this.#names.add(name);
    return name;
  }
}

function sameNumbers(
  a: ArrayLike<number> | undefined,
  b: ArrayLike<number> | undefined,
  isSameTensor: boolean,
): boolean {
  if (isSameTensor) return true;
  if (a === undefined || b === undefined) return false;
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, index) => at(a, index) === at(b, index)).every(Boolean);
}

/** An element, of which a single one stands for all. */
function at(values: ArrayLike<number>, index: number): number | undefined {
  return values[values.length === 1 ? 0 : index];
}

function alike<T extends Int8Array | Uint8Array | Int32Array>(zeroPoints: T, channels: number): T | Int32Array {
  return zeroPoints.length === channels ? zeroPoints : new Int32Array(channels).fill(zeroPoints[0] ?? 0);
}

function channelAxisOf(reader: NodeProto, shape: readonly number[], axis: number, channels: number): number {
  const counted = axis < 0 ? axis + shape.length : axis;
  if (shape[counted] === channels) return counted;
  throw unfoldable(reader, `it has ${channels} scales for axis ${axis} of a tensor of shape [${shape.join(', ')}]`);
}

function keyOf({ values, scale, zeroPoint, axis }: QuantizedTensor): string {
  return JSON.stringify([values, scale, zeroPoint, axis]);
}

function unquantizedName(name: string): string {
  return name.endsWith('_quantized') ? name.slice(0, -'_quantized'.length) : `${name}_dequantized`;
}

/** Names the node when one of its constants cannot be read. */
function explained<T>(reader: NodeProto, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof AppError) throw unfoldable(reader, cause.message, cause);
    throw cause;
  }
}
