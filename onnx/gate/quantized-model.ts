import type { ModelProto } from '../format/onnx-messages.ts';

/** A quantized model, and the nodes with weights. */
export interface QuantizedModel {
  readonly model: ModelProto;
  /** Quantized nodes, in the order of the graph. */
  readonly layers: readonly QuantizedLayer[];
  /** Nodes with weights that stay as they were, in the order of the graph. */
  readonly left: readonly LeftLayer[];
}

/** One quantized node. */
export interface QuantizedLayer {
  readonly node: string;
  readonly opType: string;
  /** Name of the weight before it was quantized. */
  readonly weight: string;
  /** Elements of the weight: a measure of both the bytes and the time that quantizing it saves. */
  readonly weightElements: number;
}

/** One node that was not quantized. */
export interface LeftLayer extends QuantizedLayer {
  /** Reason in words, such as `not supported`. */
  readonly reason: string;
}

/** How many nodes of one operator were quantized. */
export interface OperatorCoverage {
  readonly opType: string;
  readonly quantized: number;
  /** Nodes of the operator that have a constant weight. */
  readonly total: number;
  /** Why the others were not quantized: the number of nodes by reason. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** Counts the quantized nodes by operator, in alphabetical order. */
export function coverageOf({ layers, left }: Pick<QuantizedModel, 'layers' | 'left'>): OperatorCoverage[] {
  const opTypes = [...new Set([...layers, ...left].map(({ opType }) => opType))].sort();
  return opTypes.map((opType) => {
    const quantized = layers.filter((layer) => layer.opType === opType).length;
    const others = left.filter((layer) => layer.opType === opType);
    const groups = Map.groupBy(others, ({ reason }) => reason);
    const reasons = new Map([...groups].map(([reason, group]) => [reason, group.length]));
    return { opType, quantized, total: quantized + others.length, reasons };
  });
}

/** Writes the coverage of one operator, such as `0 of 64 Conv quantized: not supported`. */
export function writeCoverage({ opType, quantized, total, reasons }: OperatorCoverage): string {
  const share = `${quantized} of ${total} ${opType} quantized`;
  if (reasons.size === 0) return share;
  const [only, ...others] = reasons;
  if (others.length === 0) return `${share}: ${only?.[0]}`;
  return `${share}: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')}`;
}
