import type { TensorDescription } from '../../core/tensors/tensor.ts';
import { graphOf } from '../format/graph.ts';
import type { ModelProto, ValueInfoProto } from '../format/onnx-messages.ts';
import type { Signature } from '../runtime/save-ort.ts';

/** Names of the inputs and outputs whose number of dimensions a file leaves open. */
export function openRanks(model: ModelProto): ReadonlySet<string> {
  const { input, output } = graphOf(model);
  return new Set([...input, ...output].filter(hasOpenRank).map(({ name }) => name));
}

/**
 * Marks the inputs and outputs whose number of dimensions a file leaves open. onnxruntime describes them as it describes
 * scalars.
 *
 * @param model - The file that the signature was read from.
 */
export function markOpenRanks(signature: Signature, model: ModelProto): Signature {
  const open = openRanks(model);
  const marked = (tensor: TensorDescription): TensorDescription =>
    open.has(tensor.name) ? { ...tensor, anyRank: true } : tensor;
  return { ...signature, inputs: signature.inputs.map(marked), outputs: signature.outputs.map(marked) };
}

function hasOpenRank({ type }: ValueInfoProto): boolean {
  return type?.value.case === 'tensorType' && type.value.value.shape === undefined;
}
