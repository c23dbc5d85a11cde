import { create } from '@bufbuild/protobuf';
import { changed, opsetOf } from '../format/graph.ts';
import { type ModelProto, ModelProtoSchema, OperatorSetIdProtoSchema } from '../format/onnx-messages.ts';

/** Version of the default operator set for nodes that are added to a model which imports none. */
const ADDED_OPSET = 13n;

/** Imports the default operator set into a model that does not, so that nodes of it can be added. */
export function importDefaultSet(model: ModelProto): ModelProto {
  if (opsetOf(model) !== undefined) return model;
  const imported = create(OperatorSetIdProtoSchema, { domain: '', version: ADDED_OPSET });
  return changed(ModelProtoSchema, model, { opsetImport: [...model.opsetImport, imported] });
}
