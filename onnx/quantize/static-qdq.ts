import type { FreshNames } from '../format/fresh-names.ts';
import { changed, findAttribute, graphOf, initializersOf, intAttribute, makeNode } from '../format/graph.ts';
import { type ModelProto, type NodeProto, NodeProtoSchema, type TensorProto } from '../format/onnx-messages.ts';
import { isFloat, readFloats, shapeOf, tensorProto } from '../format/tensor-proto.ts';
import type { QuantizedModel } from '../gate/quantized-model.ts';
import { type Affine, affineOf, type Range, roundHalfEven } from './affine.ts';
import { applyScheme, type Scheme, type Target } from './apply-scheme.ts';
import { type Activation, type ChannelRanges, wholeRange } from './calibrate.ts';
import { quantizeTable, TABLE_LAYOUT } from './gather-table.ts';
import {
  channelAxis,
  type Exclusion,
  isTransposed,
  MULTIPLICATIONS,
  NOTHING_EXCLUDED,
  reasonNoProduct,
  reasonToStay,
  type WeightedNode,
  weightOf,
} from './selection.ts';
import { smoothingFactors } from './smoothing.ts';
import { type QuantizedWeight, UNSIGNED_GRID, type WeightLayout, weightGrid } from './weights.ts';

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
  const constants = initializersOf(graph);
  const activations = new Map<string, Activation>();
  for (const node of graph.node) {
    const weight = MULTIPLICATIONS.includes(node.opType) ? weightOf(node, constants) : undefined;
    const name = node.input[0] ?? '';
    if (weight === undefined || constants.has(name)) continue;
    if (reasonToStay({ node, weight }, exclusion) !== undefined) continue;
    if (reasonNoProduct({ node, weight }) !== undefined) continue;
    activations.set(name, { name, width: shapeOf(weight).at(isTransposed(node) ? -1 : -2) ?? 1 });
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
  readonly #ranges: ReadonlyMap<string, ChannelRanges>;
  readonly #factors: ReadonlyMap<string, Float32Array>;
  readonly #reduceRange: boolean;
  /** Names of the activations and weights that were quantized and turned back into floats, by their own. */
  readonly #restored = new Map<string, string>();

  constructor(
    ranges: ReadonlyMap<string, ChannelRanges>,
    factors: ReadonlyMap<string, Float32Array>,
    reduceRange: boolean,
  ) {
    this.#ranges = ranges;
    this.#factors = factors;
    this.#reduceRange = reduceRange;
  }

  layoutOf(candidate: WeightedNode, constant: Target['constant']): WeightLayout | string {
    const { node, weight } = candidate;
    if (node.opType === 'Gather') return TABLE_LAYOUT;
    if (!MULTIPLICATIONS.includes(node.opType)) return 'not supported';
    const reason = reasonNoProduct(candidate);
    if (reason !== undefined) return reason;
    if (!this.#ranges.has(node.input[0] ?? '')) return 'its input has no known range';
    if (readBias(candidate, constant) === 'unusable') return 'the bias is not one number for each column';
    const isMatrix = weight.dims.length === 2;
    return { grid: weightGrid(this.#reduceRange), axis: isMatrix ? channelAxis(node, weight) : undefined };
  }

  replace(target: Target): readonly NodeProto[] {
    if (target.node.opType === 'Gather') return quantizeTable(target);
    const { node, weight, weights, layout } = target;
    const name = node.input[0] ?? '';
    const factors = this.#factors.get(name);
    const range = this.#ranges.get(name) ?? { min: new Float32Array(1), max: new Float32Array(1) };
    const input = affineOf(scaledRange(range, factors), UNSIGNED_GRID);
    const bias = biasOf(target);
    const quantized = weights.quantize(weight.name, {
      ...layout,
      adjustScale: (scale, channel) =>
        bias === undefined ? scale : scaleThatHolds(bias.values[channel] ?? 0, input.scale, scale),
      inputFactors: factors?.map((factor) => 1 / factor),
    });
    const activation = this.#restoreActivation(target, input);
    const restoredWeight = this.#restoreWeight(target, quantized);
    const restoredBias = bias === undefined ? undefined : restoreBias(target, bias, input.scale, quantized);
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

  #restoreActivation({ node, names, addConstant }: Target, affine: Affine): Restored {
    const name = node.input[0] ?? '';
    const known = this.#restored.get(name);
    if (known !== undefined) return { nodes: [], output: known };
    const output = names.tensor(`${name}_DequantizeLinear_Output`);
    this.#restored.set(name, output);
    const scale = tensorProto(names.tensor(`${name}_scale`), [], Float32Array.of(affine.scale));
    const zeroPoint = tensorProto(names.tensor(`${name}_zero_point`), [], Uint8Array.of(affine.zeroPoint));
    const quantized = names.tensor(`${name}_QuantizeLinear_Output`);
    addConstant(scale);
    addConstant(zeroPoint);
    const smoothing = this.#smooth(name, names, addConstant);
    const read = smoothing?.output ?? name;
    const parameters = [scale.name, zeroPoint.name];
    const nodes = [
      ...(smoothing?.nodes ?? []),
      makeNode('QuantizeLinear', names.node(`${name}_QuantizeLinear`), [read, ...parameters], [quantized]),
      makeNode('DequantizeLinear', names.node(`${name}_DequantizeLinear`), [quantized, ...parameters], [output]),
    ];
    return { nodes, output };
  }

  /** Multiplies the channels of an activation by their factors, if it has some. */
  #smooth(name: string, names: FreshNames, addConstant: Target['addConstant']): Restored | undefined {
    const factors = this.#factors.get(name);
    if (factors === undefined) return undefined;
    const output = names.tensor(`${name}_smoothed`);
    const constant = tensorProto(names.tensor(`${name}_smoothing`), [factors.length], factors);
    addConstant(constant);
    return { nodes: [makeNode('Mul', names.node(`${name}_smooth`), [name, constant.name], [output])], output };
  }

  #restoreWeight({ weight, names: fresh }: Target, { names, quantized }: QuantizedWeight): Restored {
    const known = this.#restored.get(weight.name);
    if (known !== undefined) return { nodes: [], output: known };
    const output = fresh.tensor(`${weight.name}_DequantizeLinear_Output`);
    this.#restored.set(weight.name, output);
    const name = fresh.node(`${weight.name}_DequantizeLinear`);
    const axis = quantized.axis === undefined ? [] : [intAttribute('axis', quantized.axis)];
    const inputs = [names.quantized, names.scale, names.zeroPoint];
    return { nodes: [makeNode('DequantizeLinear', name, inputs, [output], axis)], output };
  }
}

/** The scale of a bias is that of the products it is added to: input scale times weight scale. */
function restoreBias(
  { names, addConstant }: Target,
  { tensor, values }: Bias,
  inputScale: number,
  { quantized }: QuantizedWeight,
): Restored {
  const { name } = tensor;
  const scaleOf = (channel: number): number => quantized.scales[quantized.axis === undefined ? 0 : channel] ?? 1;
  const scales = Float32Array.from(values, (_, channel) => Math.fround(inputScale * scaleOf(channel)));
  const integers = Int32Array.from(values, (value, channel) =>
    clampToInt32(roundHalfEven(value / (scales[channel] ?? 1))),
  );
  const constants = [
    tensorProto(names.tensor(`${name}_quantized`), [values.length], integers),
    tensorProto(names.tensor(`${name}_quantized_scale`), [values.length], scales),
    tensorProto(names.tensor(`${name}_quantized_zero_point`), [values.length], new Int32Array(values.length)),
  ];
  constants.forEach(addConstant);
  const output = names.tensor(`${name}_DequantizeLinear_Output`);
  const inputs = constants.map((constant) => constant.name);
  const axis = [intAttribute('axis', 0)];
  return {
    nodes: [makeNode('DequantizeLinear', names.node(`${name}_DequantizeLinear`), inputs, [output], axis)],
    output,
  };
}

function scaledRange({ min, max }: Pick<ChannelRanges, 'min' | 'max'>, factors: Float32Array | undefined): Range {
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

function biasOf(target: Target): Bias | undefined {
  const bias = readBias(target, target.constant);
  return bias === 'unusable' ? undefined : bias;
}

function readBias({ node, weight }: WeightedNode, constant: Target['constant']): Bias | 'unusable' | undefined {
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
