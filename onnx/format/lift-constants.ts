import { changed, findAttribute, graphOf, rewriteModel } from './graph.ts';
import { type ModelProto, type NodeProto, type TensorProto, TensorProtoSchema } from './onnx-messages.ts';
import { tensorProto } from './tensor-proto.ts';

/**
 * Turns the `Constant` nodes of a graph into named constants, so that all constants are in one place.
 *
 * Nested graphs stay as they are, and so do constants that are strings or sparse.
 */
export function liftConstants(model: ModelProto): ModelProto {
  const lifted = new Map<NodeProto, TensorProto>();
  for (const node of graphOf(model).node) {
    const tensor = node.opType === 'Constant' && node.domain === '' ? constantOf(node) : undefined;
    if (tensor !== undefined) lifted.set(node, tensor);
  }
  if (lifted.size === 0) return model;
  const nodes = graphOf(model).node.filter((node) => !lifted.has(node));
  return rewriteModel(model, { nodes, initializers: [...lifted.values()] });
}

/** Returns the value of a `Constant` node under the name of its output; undefined for strings and sparse tensors. */
export function constantOf(node: NodeProto): TensorProto | undefined {
  const name = node.output[0] ?? '';
  const tensor = findAttribute(node, 'value')?.t;
  if (tensor !== undefined) return changed(TensorProtoSchema, tensor, { name });
  const single = findAttribute(node, 'value_float');
  if (single !== undefined) return tensorProto(name, [], Float32Array.of(single.f));
  const several = findAttribute(node, 'value_floats');
  if (several !== undefined) return tensorProto(name, [several.floats.length], Float32Array.from(several.floats));
  const whole = findAttribute(node, 'value_int');
  if (whole !== undefined) return tensorProto(name, [], BigInt64Array.of(whole.i));
  const wholes = findAttribute(node, 'value_ints');
  if (wholes !== undefined) return tensorProto(name, [wholes.ints.length], BigInt64Array.from(wholes.ints));
  return undefined;
}
