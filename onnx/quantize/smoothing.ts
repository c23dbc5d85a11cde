import { graphOf, initializersOf } from '../format/graph.ts';
import type { ModelProto, NodeProto, TensorProto } from '../format/onnx-messages.ts';
import { readFloats, shapeOf } from '../format/tensor-proto.ts';
import { affineOf } from './affine.ts';
import { type ChannelRanges, wholeRange } from './calibrate.ts';
import { channelAxis, type Exclusion, MULTIPLICATIONS, reasonNoProduct, reasonToStay, weightOf } from './selection.ts';
import { UNSIGNED_GRID } from './weights.ts';

/** A multiplication of an activation by a constant matrix. */
interface Reader {
  readonly node: NodeProto;
  readonly weight: TensorProto;
}

/** Steps from zero to the greatest weight. */
const WEIGHT_STEPS = 127;

/** Shares of the unevenness of an activation that are tried to be moved into the weights; 0 leaves all as it is. */
const STRENGTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

/** Channels that calibration saw nearly idle are not blown up further than this. */
const MAX_FACTOR = 16;

/**
 * Factors by which to multiply the channels of activations before they are quantized, and to divide the weights.
 *
 * A few channels of a transformer's activations are many times larger than the rest and set the step for all. Each
 * factor evens out the greatest magnitudes that a channel has in the activation and in the weights that it meets. How
 * much is moved into the weights is tried for each activation: what leaves the least noise in its products.
 *
 * @param ranges - Ranges of the channels by activation.
 * @returns Factors by activation; none where smoothing does not help, or another activation reads the same weights.
 * @see Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models", 2023,
 * equation 4.
 */
export function smoothingFactors(
  model: ModelProto,
  ranges: ReadonlyMap<string, ChannelRanges>,
  exclusion: Exclusion,
): ReadonlyMap<string, Float32Array> {
  const graph = graphOf(model);
  const readers = readersOf(model, exclusion);
  // Whatever else reads the quantized weights would read them divided by the factors, or along the other axis.
  const isAlike = (other: NodeProto, { node, weight }: Reader): boolean =>
    MULTIPLICATIONS.includes(other.opType) &&
    other.input[0] === node.input[0] &&
    channelAxis(other, weight) === channelAxis(node, weight);
  const isExclusive = (reader: Reader): boolean =>
    graph.node.every((other) => !other.input.includes(reader.weight.name) || isAlike(other, reader));
  const factors = new Map<string, Float32Array>();
  for (const [activation, group] of Map.groupBy(readers, ({ node }) => node.input[0] ?? '')) {
    const range = ranges.get(activation);
    if (range === undefined || !group.every((reader) => isExclusive(reader) && reader.weight.dims.length === 2))
      continue;
    const best = quietestFactors(range, group.map(matrixOf));
    if (best !== undefined) factors.set(activation, best);
  }
  return factors;
}

function readersOf(model: ModelProto, exclusion: Exclusion): Reader[] {
  const graph = graphOf(model);
  const constants = initializersOf(graph);
  return graph.node.flatMap((node) => {
    const weight = MULTIPLICATIONS.includes(node.opType) ? weightOf(node, constants) : undefined;
    if (weight === undefined || reasonNoProduct({ node, weight }) !== undefined) return [];
    return reasonToStay({ node, weight }, exclusion) === undefined ? [{ node, weight }] : [];
  });
}

/** A weight with its input channels as rows. */
interface Matrix {
  readonly values: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

function matrixOf({ node, weight }: Reader): Matrix {
  const [rows = 0, columns = 0] = shapeOf(weight);
  const values = readFloats(weight);
  if (channelAxis(node, weight) === 1) return { values, inputs: rows, outputs: columns };
  const transposed = values.map((_, index) => values[(index % rows) * columns + Math.floor(index / rows)] ?? 0);
  return { values: transposed, inputs: columns, outputs: rows };
}

/** The quietest factors of those tried; undefined when the activation is best left as it is. */
function quietestFactors(range: ChannelRanges, matrices: readonly Matrix[]): Float32Array | undefined {
  const unevenness = unevennessOf(range, matrices);
  const tried = STRENGTHS.map((strength) => {
    const factors = unevenness.map((ratio) => Math.min(Math.max(ratio ** strength, 1 / MAX_FACTOR), MAX_FACTOR));
    return { strength, factors, noise: noiseOf(range, matrices, factors) };
  });
  const best = tried.reduce((quietest, other) => (other.noise < quietest.noise ? other : quietest));
  return best.strength === 0 ? undefined : best.factors;
}

/** Magnitude of the weights that each channel meets over that of the activation, relative to the middle channel. */
function unevennessOf({ min, max }: ChannelRanges, matrices: readonly Matrix[]): Float32Array {
  const ratios = min.map((least, channel) => {
    const activation = Math.max(-least, max[channel] ?? 0);
    const weight = Math.max(...matrices.map((matrix) => rowMagnitude(matrix, channel)));
    return activation > 0 && weight > 0 ? weight / activation : 1;
  });
  const middle = ratios.toSorted()[Math.floor(ratios.length / 2)] ?? 1;
  return ratios.map((ratio) => ratio / middle);
}

function rowMagnitude({ values, outputs }: Matrix, row: number): number {
  let magnitude = 0;
  for (let index = row * outputs; index < (row + 1) * outputs; index++) {
    magnitude = Math.max(magnitude, Math.abs(values[index] ?? 0));
  }
  return magnitude;
}

/**
 * Expected squared error of the products, up to a constant factor: rounding an activation errs by its step times the
 * weights that it meets, rounding a weight by its step times the activations that it meets.
 */
function noiseOf({ min, max, power }: ChannelRanges, matrices: readonly Matrix[], factors: Float32Array): number {
  const scaled = (bounds: Float32Array): Float32Array =>
    bounds.map((bound, channel) => bound * (factors[channel] ?? 1));
  const whole = wholeRange({ min: scaled(min), max: scaled(max) });
  const step = affineOf(whole, UNSIGNED_GRID).scale;
  const powers = power.map((value, channel) => value * (factors[channel] ?? 1) ** 2);
  const totalPower = powers.reduce((sum, value) => sum + value, 0);
  return matrices.reduce((noise, { values, inputs, outputs }) => {
    const columnMax = new Float32Array(outputs);
    let energy = 0;
    for (let index = 0; index < inputs * outputs; index++) {
      const value = (values[index] ?? 0) / (factors[Math.floor(index / outputs)] ?? 1);
      energy += value * value;
      const column = index % outputs;
      columnMax[column] = Math.max(columnMax[column] ?? 0, Math.abs(value));
    }
    const weightSteps = columnMax.reduce((sum, magnitude) => sum + (magnitude / WEIGHT_STEPS) ** 2, 0);
    return noise + step * step * energy + weightSteps * totalPower;
  }, 0);
}
