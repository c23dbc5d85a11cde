import {
  allGraphs,
  changed,
  findAttribute,
  graphOf,
  liveNodes,
  makeNode,
  namesReadBy,
  nodeName,
  ORT_DOMAIN,
  rewriteModel,
} from '../format/graph.ts';
import { liftConstants } from '../format/lift-constants.ts';
import {
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType,
} from '../format/onnx-messages.ts';
import { Wiring } from '../format/wiring.ts';
import { RealTensors, unfoldable } from './real-tensors.ts';

/** A model in floating point, and what was folded to make it one. */
export interface FoldedModel {
  readonly model: ModelProto;
  /** Quantized activations that are read as floats again. */
  readonly activations: number;
  /** Quantized constants that are floats again. */
  readonly weights: number;
}

/** Operators that make, read or multiply quantized tensors. */
const QUANTIZATION =
  /^(QuantizeLinear|DequantizeLinear|DynamicQuantize\w+|MatMulInteger\w*|ConvInteger\w*|QLinear\w+|QAttention|QGemm|QMoE|QOrdered\w+|QEmbedLayerNormalization|MatMulNBits|\w+BlockQuantized|\w+Bnb4)$/;

/** Returns whether a node works on quantized tensors. */
export function isQuantization({ opType }: NodeProto): boolean {
  return QUANTIZATION.test(opType);
}

/**
 * Turns a model of 8-bit products back into one of floating-point products.
 *
 * Pairs of `QuantizeLinear` and `DequantizeLinear` go, as do dynamic quantization and onnxruntime's fused products;
 * quantized constants are multiplied out. Only where a pair cut negative numbers off, a `Relu` takes its place.
 *
 * @param model - Quantized ahead of time or while running, by this project or by onnxruntime's Python package.
 * @returns A model without any operator of quantization; one that had none keeps its nodes.
 * @throws AppError `ONNX_INVALID` that names the operator and the node that could not be folded.
 */
export function foldQuantization(model: ModelProto): FoldedModel {
  const lifted = liftConstants(model);
  const graph = graphOf(lifted);
  const folding = new Folding(lifted);
  const nodes = liveNodes(
    graph.node.flatMap((node) => folding.fold(node)),
    graph.output.map(({ name }) => name),
  );
  const folded = rewriteModel(withUsedDomains(lifted, nodes), { nodes, initializers: folding.real.constants });
  refuseQuantization(folded);
  return { model: folded, activations: folding.real.activations, weights: folding.real.constants.length };
}

function withUsedDomains(model: ModelProto, nodes: readonly NodeProto[]): ModelProto {
  const isUsed = nodes.some(({ domain, attribute }) => domain === ORT_DOMAIN || attribute.some(({ g }) => g));
  if (isUsed) return model;
  return changed(ModelProtoSchema, model, {
    opsetImport: model.opsetImport.filter(({ domain }) => domain !== ORT_DOMAIN),
  });
}

/** A producer of quantized tensors remains only because of a reader, so the error names the reader. */
function refuseQuantization(model: ModelProto): void {
  const left = allGraphs(graphOf(model)).flatMap(({ node }) => node.filter(isQuantization));
  const node = left.find(({ opType }) => !/QuantizeLinear$/.test(opType)) ?? left[0];
  if (node !== undefined) throw unfoldable(node, 'nothing is known that replaces it');
}

class Folding {
  readonly real: RealTensors;
  readonly #wiring: Wiring;
  /** Names that must stay: outputs of the model, and what nested graphs read. */
  readonly #kept: ReadonlySet<string>;
  readonly #replaced = new Set<NodeProto>();

  constructor(model: ModelProto) {
    const graph = graphOf(model);
    const outputs = graph.output.map(({ name }) => name);
    this.real = new RealTensors(graph);
    this.#wiring = new Wiring(graph.node, outputs);
    this.#kept = new Set([
      ...outputs,
      ...graph.node.flatMap((node) => namesReadBy(node).filter((name) => !node.input.includes(name))),
    ]);
  }

  /** Nodes that take the place of one; none when it is not needed any more. */
  fold(node: NodeProto): NodeProto[] {
    if (this.#replaced.has(node)) return [];
    const nodes = this.#replace(node) ?? [this.#renamed(node)];
    return [...this.real.takeNodes(), ...nodes];
  }

  #replace(node: NodeProto): NodeProto[] | undefined {
    switch (node.opType) {
      case 'DequantizeLinear':
        return this.#dequantize(node);
      case 'MatMulIntegerToFloat':
        return this.#fusedProduct(node);
      case 'DynamicQuantizeMatMul':
        return this.#dynamicProduct(node);
      case 'MatMulInteger':
        return this.#wholeProduct(node);
      default:
        return undefined;
    }
  }

  #renamed(node: NodeProto): NodeProto {
    const input = node.input.map((name) => this.real.nameOf(name));
    return changed(NodeProtoSchema, node, { input });
  }

  #dequantize(node: NodeProto): NodeProto[] {
    if (Number(findAttribute(node, 'block_size')?.i ?? 0n) !== 0) {
      throw unfoldable(node, 'scales of blocks are not supported');
    }
    const [values = '', scale = '', zeroPoint] = node.input;
    const axis = Number(findAttribute(node, 'axis')?.i ?? 1n);
    const real = this.real.realOf(node, { values, scale, zeroPoint, axis });
    const output = node.output[0] ?? '';
    this.real.alias(output, real);
    return this.#kept.has(output) ? [makeNode('Identity', nodeName(node), [real], [output])] : [];
  }

  /** Inputs: both factors, both scales, both zero points, bias; the last three may be left out. */
  #fusedProduct(node: NodeProto): NodeProto[] {
    const [a = '', b = '', aScale = '', bScale = '', aZero, bZero, bias = ''] = node.input;
    const left = this.real.realOf(node, { values: a, scale: aScale, zeroPoint: aZero, axis: -2 });
    const right = this.real.realOf(node, { values: b, scale: bScale, zeroPoint: bZero, axis: -1 });
    return this.#product(node, [left, right], bias);
  }

  /** Inputs: a factor in floats, a quantized one, its scale, its zero point, bias; the last two may be left out. */
  #dynamicProduct(node: NodeProto): NodeProto[] {
    const [a = '', values = '', scale = '', zeroPoint, bias = ''] = node.input;
    const right = this.real.realOf(node, { values, scale, zeroPoint, axis: -1 });
    return this.#product(node, [this.real.nameOf(a), right], bias);
  }

  #product(node: NodeProto, factors: readonly string[], bias: string): NodeProto[] {
    const [name, output] = [nodeName(node), node.output[0] ?? ''];
    if (bias === '') return [makeNode('MatMul', name, factors, [output])];
    const product = `${output}_without_bias`;
    return [
      makeNode('MatMul', name, factors, [product]),
      makeNode('Add', `${name}_bias`, [product, this.real.nameOf(bias)], [output]),
    ];
  }

  /** A product of whole numbers, its conversion to floats, and the multiplication by the product of both scales. */
  #wholeProduct(node: NodeProto): NodeProto[] {
    const cast = this.#wiring.onlyReader(node.output[0] ?? '');
    const isFloat =
      Number(cast === undefined ? 0n : (findAttribute(cast, 'to')?.i ?? 0n)) === TensorProto_DataType.FLOAT;
    const product = cast?.output[0] ?? '';
    const scaling = this.#wiring.onlyReader(product);
    const scales = this.#wiring.maker(scaling?.input.find((name) => name !== product));
    const [aScale, bScale] = scales?.input ?? [];
    if (cast?.opType !== 'Cast' || !isFloat || scaling?.opType !== 'Mul' || scales?.opType !== 'Mul') {
      throw unfoldable(node, 'its result must be cast to floats and multiplied by the product of both scales');
    }
    const [a = '', b = '', aZero, bZero] = node.input;
    const [left, right] = this.#matched(node, [a, b], [aScale ?? '', bScale ?? '']);
    for (const done of [cast, scaling]) this.#replaced.add(done);
    const factors = [
      this.real.realOf(node, { values: a, scale: left, zeroPoint: aZero, axis: -2 }),
      this.real.realOf(node, { values: b, scale: right, zeroPoint: bZero, axis: -1 }),
    ];
    return [makeNode('MatMul', nodeName(node), factors, [...scaling.output])];
  }

  /** The scales in the order of the factors: one that is quantized while running knows its own. */
  #matched(
    node: NodeProto,
    [a, b]: readonly [string, string],
    [one, other]: readonly [string, string],
  ): [string, string] {
    const ownScale = (name: string): string | undefined => {
      const maker = this.#wiring.maker(name);
      return maker?.opType === 'DynamicQuantizeLinear' ? maker.output[1] : maker?.input[1];
    };
    const isSwapped = ownScale(a) === other || ownScale(b) === one;
    if (one === '' || other === '') throw unfoldable(node, 'it must have a scale for each factor');
    return isSwapped && ownScale(a) !== one ? [other, one] : [one, other];
  }
}
