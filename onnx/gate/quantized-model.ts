import type { ModelProto } from '../format/onnx-messages.ts';

/** A quantized model, and the nodes that were quantized. */
export interface QuantizedModel {
  readonly model: ModelProto;
  /** Quantized nodes, in the order of the graph. */
  readonly layers: readonly QuantizedLayer[];
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
