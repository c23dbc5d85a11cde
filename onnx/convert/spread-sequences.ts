import { create } from '@bufbuild/protobuf';
import { FreshNames } from '../format/fresh-names.ts';
import { changed, graphOf, makeNode, namesReadBy } from '../format/graph.ts';
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TypeProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../format/onnx-messages.ts';
import { importDefaultSet } from './import-default-set.ts';

/**
 * Gives out the tensors of a sequence one by one, if the model puts it together from tensors that are known. scikit-learn's
 * converter writes the probabilities of a classifier of several outputs as such a sequence.
 *
 * The tensors of the output `p` are called `p_0`, `p_1` and so on.
 *
 * @returns The same model if it has no such output.
 */
export function spreadSequences(model: ModelProto): ModelProto {
  const graph = graphOf(model);
  const names = new FreshNames(graph);
  const sequences = new Map(graph.node.filter(isSequence).map((node) => [node.output[0] ?? '', node]));
  const spread: NodeProto[] = [];
  const output = graph.output.flatMap((value) => {
    const [maker, type] = [sequences.get(value.name), elementType(value)];
    if (maker === undefined || type === undefined) return [value];
    return maker.input.map((input, index) => {
      const name = names.tensor(`${value.name}_${index}`);
      spread.push(makeNode('Identity', names.node(name), [input], [name]));
      return create(ValueInfoProtoSchema, { name, type });
    });
  });
  if (spread.length === 0) return model;
  const read = new Set([...graph.node.flatMap(namesReadBy), ...output.map(({ name }) => name)]);
  const kept = graph.node.filter((node) => !isSequence(node) || read.has(node.output[0] ?? ''));
  const changes = { node: [...kept, ...spread], output };
  return importDefaultSet(changed(ModelProtoSchema, model, { graph: changed(GraphProtoSchema, graph, changes) }));
}

function isSequence({ domain, opType }: NodeProto): boolean {
  return domain === '' && opType === 'SequenceConstruct';
}

/** Type of the tensors of a sequence; undefined for anything else. */
function elementType({ type }: ValueInfoProto): TypeProto | undefined {
  const element = type?.value.case === 'sequenceType' ? type.value.value.elemType : undefined;
  return element?.value.case === 'tensorType' ? element : undefined;
}
