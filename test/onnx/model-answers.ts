import { graphOf } from '../../onnx/format/graph.ts';
import type { ModelProto } from '../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { answersOf } from '../../onnx/gate/measure.ts';
import { openSession, type Tensors } from '../../onnx/runtime/session.ts';

/** Runs a model on some inputs. */
export async function answersOfModel(model: ModelProto, feeds: readonly Tensors[]): Promise<Tensors[]> {
  const session = await openSession(encodeModel(model));
  try {
    return await answersOf(session, feeds);
  } finally {
    await session.release();
  }
}

/** Operators of a model in the order of its graph. */
export function opTypesOf(model: ModelProto): string[] {
  return graphOf(model).node.map(({ opType }) => opType);
}
