import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { changed, findAttribute, intAttribute, makeNode, nodeName } from '../format/graph.ts';
import { toHalfFloats } from '../format/half.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from '../format/onnx-messages.ts';
import { bytesOf, readFloats, tensorProto } from '../format/tensor-proto.ts';

/** Functions for a change of an operator, which reads and adds nodes. */
export interface UpgradeContext {
  /** Operator set that the node is written in. */
  readonly from: number;
  /** The value of a tensor, if it is constant. */
  constant(name: string): TensorProto | undefined;
  /** Element type of a tensor, if it is known. */
  typeOf(name: string): number | undefined;
  /** Number of dimensions of a tensor, if it is known. */
  rankOf(name: string): number | undefined;
  /** Whether a node or the model reads a tensor. */
  isRead(name: string): boolean;
  /** Adds a constant, which nodes of nested graphs can read too. */
  addConstant(preferredName: string, make: (name: string) => TensorProto): string;
  /** Reserves the name of a new tensor. */
  freshName(preferred: string): string;
}

/** How an operator changed on the way from operator set 7 to 13. */
export interface OperatorChange {
  /** First operator set that has the operator as it is in 13. */
  readonly since: number;
  /**
   * Writes a node of an earlier operator set again.
   *
   * @throws AppError `ONNX_INVALID` when it has no equivalent.
   */
  convert(node: NodeProto, context: UpgradeContext): readonly NodeProto[];
}

/**
 * The operators whose meaning or form changed. All others of operator sets 7 to 12 mean the same in 13, where they only accept
 * more types, more ranks or negative indices.
 *
 * @see https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
export const OPERATOR_CHANGES: Readonly<Record<string, OperatorChange>> = {
  BatchNormalization: { since: 9, convert: dropSpatial },
  Clip: { since: 11, convert: boundsToInputs },
  Dropout: { since: 12, convert: dropRatio },
  Hardmax: { since: 13, convert: flattenFirst },
  LogSoftmax: { since: 13, convert: flattenFirst },
  Pad: { since: 11, convert: padsToInputs },
  ReduceSum: { since: 13, convert: (node, context) => [toInputs(node, context, ['axes'])] },
  Resize: {
    since: 13,
    convert: (node, context) => (context.from < 11 ? resizeAsBefore(node, context) : [dropScales(node)]),
  },
  Scan: { since: 9, convert: refuse('has a form of its own in operator set 8') },
  Scatter: { since: 11, convert: (node) => [changed(NodeProtoSchema, node, { opType: 'ScatterElements' })] },
  Slice: { since: 10, convert: (node, context) => [toInputs(node, context, ['starts', 'ends', 'axes'])] },
  Softmax: { since: 13, convert: flattenFirst },
  Split: { since: 13, convert: (node, context) => [toInputs(node, context, ['split'])] },
  Squeeze: { since: 13, convert: (node, context) => [toInputs(node, context, ['axes'])] },
  TopK: { since: 10, convert: countToInput },
  Unsqueeze: { since: 13, convert: (node, context) => [toInputs(node, context, ['axes'])] },
  Upsample: { since: 10, convert: upsampleToResize },
};

/** Operators that took other inputs or attributes in operator set 6. */
const CHANGED_IN_7 = new Set(
  `Add And AveragePool BatchNormalization Div Dropout Equal GRU Gemm Greater LSTM Less Mul Multinomial Or PRelu Pow RNN Sub
  Upsample Xor`.split(/\s+/),
);

/**
 * Checks that a node of operator set 6 means the same in 7.
 *
 * @throws AppError `ONNX_INVALID` when it does not.
 */
export function requireUnchangedIn7(node: NodeProto): void {
  if (CHANGED_IN_7.has(node.opType)) throw cannotConvert(node, 'has another form in operator set 6');
}

function refuse(reason: string): OperatorChange['convert'] {
  return (node) => {
    throw cannotConvert(node, reason);
  };
}

function cannotConvert(node: NodeProto, reason: string): AppError {
  return new AppError(
    'ONNX_INVALID',
    `${node.opType} ${nodeName(node)} cannot be written in operator set 13, because it ${reason}: export the model again, for operator set 13 or later`,
  );
}

function without(node: NodeProto, ...names: readonly string[]): AttributeProto[] {
  return node.attribute.filter(({ name }) => !names.includes(name));
}

/** Name for a constant that an attribute of a node becomes. */
function constantName(node: NodeProto, attribute: string): string {
  return `${node.output[0] ?? nodeName(node)}_${attribute}`;
}

/** Turns lists of whole numbers into inputs after those that the node has; one that is absent at the end is left out. */
function toInputs(node: NodeProto, context: UpgradeContext, names: readonly string[]): NodeProto {
  const inputs = names.map((name) => {
    const values = findAttribute(node, name)?.ints;
    if (values === undefined) return '';
    return context.addConstant(constantName(node, name), (constant) =>
      tensorProto(constant, [values.length], BigInt64Array.from(values)),
    );
  });
  while (inputs.at(-1) === '') inputs.pop();
  return changed(NodeProtoSchema, node, {
    input: [...node.input.slice(0, 1), ...inputs],
    attribute: without(node, ...names),
  });
}

function dropSpatial(node: NodeProto): NodeProto[] {
  if (findAttribute(node, 'spatial')?.i === 0n) throw cannotConvert(node, 'normalizes each position (spatial is 0)');
  return [changed(NodeProtoSchema, node, { attribute: without(node, 'spatial') })];
}

/** In inference, which is all that is served, the operator passes its input through. */
function dropRatio(node: NodeProto, { isRead }: UpgradeContext): NodeProto[] {
  const mask = node.output[1] ?? '';
  if (mask !== '' && isRead(mask)) throw cannotConvert(node, 'gives out its mask');
  return [changed(NodeProtoSchema, node, { output: node.output.slice(0, 1), attribute: without(node, 'ratio') })];
}

function boundsToInputs(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const bounds = ['min', 'max'].map((name) => {
    const bound = findAttribute(node, name)?.f;
    return bound === undefined ? '' : addScalar(node, context, { name, value: bound });
  });
  while (bounds.at(-1) === '') bounds.pop();
  return [
    changed(NodeProtoSchema, node, {
      input: [...node.input.slice(0, 1), ...bounds],
      attribute: without(node, 'min', 'max'),
    }),
  ];
}

/** Adds a constant of the element type of a node's input: 32-bit floats, unless it is known to be another. */
function addScalar(
  node: NodeProto,
  context: UpgradeContext,
  { name, value }: { readonly name: string; readonly value: number },
): string {
  const type = context.typeOf(node.input[0] ?? '') ?? DataType.FLOAT;
  return context.addConstant(constantName(node, name), (constant) => scalarOf(node, type, constant, value));
}

function scalarOf(node: NodeProto, type: number, name: string, value: number): TensorProto {
  if (type === DataType.FLOAT) return tensorProto(name, [], Float32Array.of(value));
  const values = type === DataType.FLOAT16 ? toHalfFloats(Float32Array.of(value)) : Float64Array.of(value);
  if (type === DataType.FLOAT16 || type === DataType.DOUBLE) {
    return create(TensorProtoSchema, { name, dataType: type, rawData: bytesOf(values) });
  }
  throw cannotConvert(node, 'is not applied to floating-point numbers');
}

function padsToInputs(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const value = findAttribute(node, 'value')?.f ?? 0;
  const { input, attribute } = toInputs(node, context, ['pads']);
  const constant = value === 0 ? [] : [addScalar(node, context, { name: 'value', value })];
  const rest = attribute.filter(({ name }) => name !== 'value');
  return [changed(NodeProtoSchema, node, { input: [...input, ...constant], attribute: rest })];
}

function countToInput(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const count = context.addConstant(constantName(node, 'k'), (name) =>
    tensorProto(name, [1], BigInt64Array.of(findAttribute(node, 'k')?.i ?? 0n)),
  );
  return [changed(NodeProtoSchema, node, { input: [...node.input, count], attribute: without(node, 'k') })];
}

/**
 * Before operator set 13 the axis divided the dimensions into those of the rows and those that are normalized together;
 * since then it is the one dimension that is normalized. Both are the same for the last axis.
 */
function flattenFirst(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const axis = Number(findAttribute(node, 'axis')?.i ?? 1n);
  const [input = '', output = ''] = [node.input[0], node.output[0]];
  const last = intAttribute('axis', -1);
  const rank = context.rankOf(input) ?? context.rankOf(output);
  const attribute = [...without(node, 'axis'), last];
  if (axis === -1 || axis + 1 === rank) return [changed(NodeProtoSchema, node, { attribute })];
  const [shape, flat, flatResult] = ['shape', 'flat', 'flat_result'].map((suffix) =>
    context.freshName(`${output}_${suffix}`),
  ) as [string, string, string];
  return [
    makeNode('Shape', shape, [input], [shape]),
    makeNode('Flatten', flat, [input], [flat], [intAttribute('axis', axis)]),
    changed(NodeProtoSchema, node, { input: [flat], output: [flatResult], attribute }),
    makeNode('Reshape', `${output}_unflatten`, [flatResult, shape], [output]),
  ];
}

function textAttribute(name: string, text: string): AttributeProto {
  const s = new TextEncoder().encode(text);
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.STRING, s });
}

/** Operator set 10 mapped positions without centering them, and took the nearest pixel above when an image shrinks. */
function resizeAsBefore(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const [input = '', scales = ''] = node.input;
  const isNearest = modeOf(node) === 'nearest';
  const factors = context.constant(scales);
  if (isNearest && factors === undefined) throw cannotConvert(node, 'computes its scales');
  const values = factors === undefined ? [] : [...readFloats(factors)];
  const [shrinks, grows] = [values.some((value) => value < 1), values.some((value) => value > 1)];
  if (isNearest && shrinks && grows) throw cannotConvert(node, 'shrinks one dimension and enlarges another');
  return [resize(node, [input, '', scales], isNearest && shrinks ? 'ceil' : 'floor')];
}

/** With sizes given, the scales had to be an empty tensor; since operator set 13 they have to be absent. */
function dropScales(node: NodeProto): NodeProto {
  const [input = '', region = '', , sizes = ''] = node.input;
  return sizes === '' ? node : changed(NodeProtoSchema, node, { input: [input, region, '', sizes] });
}

function upsampleToResize(node: NodeProto, context: UpgradeContext): NodeProto[] {
  const [input = '', given] = node.input;
  const scales =
    given ??
    context.addConstant(constantName(node, 'scales'), (name) => {
      const values = findAttribute(node, 'scales')?.floats ?? [];
      return tensorProto(name, [values.length], Float32Array.from(values));
    });
  return [resize(node, [input, '', scales], 'floor')];
}

function resize(node: NodeProto, input: string[], nearestMode: 'floor' | 'ceil'): NodeProto {
  const mode = modeOf(node);
  const attribute = [
    textAttribute('mode', mode),
    textAttribute('coordinate_transformation_mode', 'asymmetric'),
    ...(mode === 'nearest' ? [textAttribute('nearest_mode', nearestMode)] : []),
  ];
  return changed(NodeProtoSchema, node, { opType: 'Resize', input, attribute });
}

function modeOf(node: NodeProto): string {
  return Buffer.from(findAttribute(node, 'mode')?.s ?? []).toString() || 'nearest';
}
