import { changed, findAttribute, graphOf, initializersOf, intAttribute, makeNode } from '../format/graph.ts';
import { type ModelProto, type NodeProto, NodeProtoSchema, type TensorProto } from '../format/onnx-messages.ts';
import { isFloat, readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { type Affine, affineOf, type Range, roundHalfEven } from './affine.ts';
import { applyScheme, type Scheme, type Target } from './apply-scheme.ts';
import { type Activation, type ChannelRanges, wholeRange } from './calibrate.ts';
import { quantizeTable } from './gather-table.ts';
import { channelAxis, type Exclusion, MULTIPLICATIONS, NOTHING_EXCLUDED, weightOf } from './selection.ts';
import { smoothingFactors } from './smoothing.ts';
import { type QuantizedWeight, UNSIGNED_GRID, weightGrid } from './weights.ts';

/** Options of {@link quantizeStatic}. */
export interface StaticOptions {
  /** Uses 7 bits for weights, for x86 processors without VNNI. Defaults to false. */
  readonly reduceRange?: boolean;
  /**
   * Evens out the channels of activations, see {@link smoothingFactors}: more accurate, at the price of one elementwise
   * multiplication for each activation. Defaults to false.
   */
  readonly smooth?: boolean;
  /** Nodes that stay in floating point. Defaults to none. */
  readonly exclusion?: Exclusion;
}

const INT32_MAX = 2 ** 31 - 1;

/** Activations whose ranges {@link quantizeStatic} asks for: inputs of multiplications by constants. */
export function activationsToCalibrate(model: ModelProto, exclusion: Exclusion = NOTHING_EXCLUDED): Activation[] {
  const graph = graphOf(model);
  const selection = { initializers: initializersOf(graph), exclusion };
  const activations = new Map<string, Activation>();
  for (const node of graph.node) {
    const weight = weightOf(node, MULTIPLICATIONS, selection);
    const name = node.input[0] ?? '';
    if (weight === undefined || selection.initializers.has(name) || !isPlainProduct(node)) continue;
    activations.set(name, { name, width: shapeOf(weight).at(channelAxis(node, weight) === 0 ? -1 : -2) ?? 1 });
  }
  return [...activations.values()];
}

/**
 * Quantizes weights and the inputs of multiplications with ranges known ahead; results leave in floating point.
 *
 * Activations are unsigned with one calibrated range, weights signed with a scale for each output channel. Nothing
 * depends on the batch, so a row has the same bits alone, among others and padded. Outputs are not quantized: it would
 * cost accuracy and save no time, because every consumer of a multiplication in an encoder computes in floats. Scales, zero
 * points, weights and biases equal those of onnxruntime 1.30's Python `quantize_static`, given the same ranges.
 *
 * @param ranges - Range of each activation by name, see {@link activationsToCalibrate}; nodes without one stay.
 * @throws AppError `ONNX_INVALID` when a weight holds NaN or infinity.
 */
export function quantizeStatic(
  model: ModelProto,
  ranges: ReadonlyMap<string, ChannelRanges>,
  options: StaticOptions = {},
): QuantizedModel {
  const { reduceRange = false, smooth = false, exclusion = NOTHING_EXCLUDED } = options;
  const factors = smooth ? smoothingFactors(model, ranges, exclusion) : new Map<string, Float32Array>();
  return applyScheme(model, new StaticQdq(ranges, factors, reduceRange), exclusion);
}

/** A constant bias as the scheme can use it. */
interface Bias {
  readonly tensor: TensorProto;
  /** Elements, already multiplied by `beta`. */
  readonly values: Float32Array;
}

class StaticQdq implements Scheme {
  readonly opTypes = [...MULTIPLICATIONS, 'Gather'];
  readonly #ranges: ReadonlyMap<string, ChannelRanges>;
  readonly #factors: ReadonlyMap<string, Float32Array>;
  readonly #reduceRange: boolean;
  readonly #restored = new Set<string>();
  readonly #constants: TensorProto[] = [];

  constructor(
    ranges: ReadonlyMap<string, ChannelRanges>,
    factors: ReadonlyMap<string, Float32Array>,
    reduceRange: boolean,
  ) {
    this.#ranges = ranges;
    this.#factors = factors;
    this.#reduceRange = reduceRange;
  }

  constants(): readonly TensorProto[] {
    return this.#constants;
  }

  replace(target: Target): readonly NodeProto[] | undefined {
    if (target.node.opType === 'Gather') return quantizeTable(target);
    const name = target.node.input[0] ?? '';
    const range = this.#ranges.get(name);
    if (range === undefined || !isPlainProduct(target.node)) return undefined;
    const bias = readBias(target);
    if (bias === 'unusable') return undefined;
    return this.#multiply(target, affineOf(scaledRange(range, this.#factors.get(name)), UNSIGNED_GRID), bias);
  }

  #multiply(target: Target, input: Affine, bias: Bias | undefined): readonly NodeProto[] | undefined {
    const { node, weight, weights } = target;
    const axis = channelAxis(node, weight);
    const adjustScale = (scale: number, channel: number): number =>
      bias === undefined ? scale : scaleThatHolds(bias.values[channel] ?? 0, input.scale, scale);
    const factors = this.#factors.get(node.input[0] ?? '');
    const quantized = weights.quantize(weight.name, {
      grid: weightGrid(this.#reduceRange),
      axis,
      adjustScale,
      inputFactors: factors?.map((factor) => 1 / factor),
    });
    // A weight that another node has already laid out otherwise would send this one to a slow kernel.
    if (quantized.quantized.axis !== axis) return undefined;
    const activation = this.#restoreActivation(node.input[0] ?? '', input);
    const restoredWeight = this.#restoreWeight(weight.name, quantized);
    const restoredBias = bias === undefined ? undefined : this.#restoreBias(node, bias, input.scale, quantized);
    const names = [
      activation.output,
      restoredWeight.output,
      ...(restoredBias === undefined ? [] : [restoredBias.output]),
    ];
    return [
      ...activation.nodes,
      ...restoredWeight.nodes,
      ...(restoredBias?.nodes ?? []),
      changed(NodeProtoSchema, node, { input: names, attribute: withoutBeta(node) }),
    ];
  }

  #isNew(output: string): boolean {
    if (this.#restored.has(output)) return false;
    this.#restored.add(output);
    return true;
  }

  #restoreActivation(name: string, affine: Affine): Restored {
    const output = `${name}_DequantizeLinear_Output`;
    if (!this.#isNew(output)) return { nodes: [], output };
    const [scale, zeroPoint, quantized] = [`${name}_scale`, `${name}_zero_point`, `${name}_QuantizeLinear_Output`];
    this.#constants.push(
      tensorProto(scale, [], Float32Array.of(affine.scale)),
      tensorProto(zeroPoint, [], Uint8Array.of(affine.zeroPoint)),
    );
    const factors = this.#factors.get(name);
    const evened = factors === undefined ? name : `${name}_smoothed`;
    if (factors !== undefined) this.#constants.push(tensorProto(`${name}_smoothing`, [factors.length], factors));
    const nodes = [
      ...(factors === undefined ? [] : [makeNode('Mul', `${name}_smooth`, [name, `${name}_smoothing`], [evened])]),
      makeNode('QuantizeLinear', `${name}_QuantizeLinear`, [evened, scale, zeroPoint], [quantized]),
      makeNode('DequantizeLinear', `${name}_DequantizeLinear`, [quantized, scale, zeroPoint], [output]),
    ];
    return { nodes, output };
  }

  #restoreWeight(name: string, { names, quantized }: QuantizedWeight): Restored {
    const output = `${name}_DequantizeLinear_Output`;
    if (!this.#isNew(output)) return { nodes: [], output };
    const axis = quantized.axis === undefined ? [] : [intAttribute('axis', quantized.axis)];
    const inputs = [names.quantized, names.scale, names.zeroPoint];
    return { nodes: [makeNode('DequantizeLinear', `${name}_DequantizeLinear`, inputs, [output], axis)], output };
  }

  /** The scale of a bias is that of the products it is added to: input scale times weight scale. */
  #restoreBias(
    node: NodeProto,
    { tensor, values }: Bias,
    inputScale: number,
    { quantized }: QuantizedWeight,
  ): Restored {
    const isShared = !this.#isNew(`${tensor.name}_DequantizeLinear_Output`);
    const name = isShared ? `${tensor.name}_${node.output[0] ?? ''}` : tensor.name;
    const scaleOf = (channel: number): number => quantized.scales[quantized.axis === undefined ? 0 : channel] ?? 1;
    const scales = Float32Array.from(values, (_, channel) => Math.fround(inputScale * scaleOf(channel)));
    const integers = Int32Array.from(values, (value, channel) =>
      clampToInt32(roundHalfEven(value / (scales[channel] ?? 1))),
    );
    const [bytes, scale, zeroPoint] = [`${name}_quantized`, `${name}_quantized_scale`, `${name}_quantized_zero_point`];
    this.#constants.push(
      tensorProto(bytes, [values.length], integers),
      tensorProto(scale, [values.length], scales),
      tensorProto(zeroPoint, [values.length], new Int32Array(values.length)),
    );
    const output = `${name}_DequantizeLinear_Output`;
    const nodes = [
      makeNode(
        'DequantizeLinear',
        `${name}_DequantizeLinear`,
        [bytes, scale, zeroPoint],
        [output],
        [intAttribute('axis', 0)],
      ),
    ];
    return { nodes, output };
  }
}

function scaledRange({ min, max }: ChannelRanges, factors: Float32Array | undefined): Range {
  if (factors === undefined) return wholeRange({ min, max });
  const scaled = (bounds: Float32Array): Float32Array =>
    bounds.map((bound, channel) => bound * (factors[channel] ?? 1));
  return wholeRange({ min: scaled(min), max: scaled(max) });
}

/** Nodes that turn bytes back into floats, and the tensor they leave them in. */
interface Restored {
  readonly nodes: readonly NodeProto[];
  readonly output: string;
}

/** The quantized kernels add the bias before any factor and read their input as it lies. */
function isPlainProduct(node: NodeProto): boolean {
  if (node.opType !== 'Gemm') return true;
  return (findAttribute(node, 'alpha')?.f ?? 1) === 1 && Number(findAttribute(node, 'transA')?.i ?? 0n) === 0;
}

function readBias({ node, weight, constant }: Target): Bias | 'unusable' | undefined {
  const name = node.opType === 'Gemm' ? (node.input[2] ?? '') : '';
  if (name === '') return undefined;
  const tensor = constant(name);
  const channels = shapeOf(weight)[channelAxis(node, weight)];
  if (!isFloat(tensor) || shapeOf(tensor).length !== 1 || shapeOf(tensor)[0] !== channels) return 'unusable';
  const beta = findAttribute(node, 'beta')?.f ?? 1;
  return { tensor, values: readFloats(tensor).map((value) => value * beta) };
}

function withoutBeta(node: NodeProto): NodeProto['attribute'] {
  return node.attribute.filter(({ name }) => name !== 'beta');
}

/**
 * Raises a weight scale until the bias of its channel fits into 32 bits.
 *
 * The margin and the order of operations are those of onnxruntime 1.30's Python quantizer.
 */
function scaleThatHolds(bias: number, inputScale: number, weightScale: number): number {
  const smallest = (1.0001 * (2 * Math.abs(bias))) / (2 * INT32_MAX);
  const candidate = inputScale * weightScale;
  return candidate > 0 && candidate < smallest ? weightScale * (smallest / candidate) : weightScale;
}

function clampToInt32(value: number): number {
  return Math.min(Math.max(value, -INT32_MAX - 1), INT32_MAX);
}
