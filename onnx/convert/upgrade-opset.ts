import { create } from '@bufbuild/protobuf';
import { AppError } from '../../core/errors.ts';
import { ElementTypes } from '../format/element-types.ts';
import { FreshNames } from '../format/fresh-names.ts';
import {
  changed,
  findAttribute,
  graphOf,
  initializersOf,
  namesReadBy,
  opsetOf,
  withFreeConstants,
} from '../format/graph.ts';
import {
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
} from '../format/onnx-messages.ts';
import { OPERATOR_CHANGES, requireUnchangedIn7, type UpgradeContext } from './operator-changes.ts';

/** The operator set that models are upgraded to: the first in which `DequantizeLinear` has an axis. */
export const UPGRADED_OPSET = 13;

/** The oldest operator set that onnxruntime still has operators of. */
const OLDEST_OPSET = 6;

/** Version of the file format that belongs to operator set 13. */
const UPGRADED_IR_VERSION = 7n;

/**
 * Writes a model of an earlier operator set in operator set 13. Results stay the same.
 *
 * Operators that changed in between get their attributes as inputs, and `Softmax` and its kind, which used to flatten their
 * input, are surrounded by nodes that do so. A model that imports no default operator set gets this one.
 *
 * @param model - Stays as it is.
 * @returns The same model if its operator set is 13 or later.
 * @throws AppError `ONNX_INVALID` that names the operator when it has no equivalent, or the operator set if it is older than 6.
 * @see https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
export function upgradeOpset(model: ModelProto): ModelProto {
  const from = opsetOf(model);
  if (from !== undefined && from >= UPGRADED_OPSET) return model;
  if (from !== undefined && from < OLDEST_OPSET) {
    throw new AppError(
      'ONNX_INVALID',
      `the model is of operator set ${from}, which cannot be upgraded: export it again, for operator set ${UPGRADED_OPSET} or later`,
    );
  }
  const imported = create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(UPGRADED_OPSET) });
  const opsetImport = [imported, ...model.opsetImport.filter(({ domain }) => domain !== '')];
  const graph = from === undefined ? graphOf(model) : new Upgrade(graphOf(model), from).graph();
  return changed(ModelProtoSchema, model, {
    irVersion: model.irVersion > UPGRADED_IR_VERSION ? model.irVersion : UPGRADED_IR_VERSION,
    opsetImport,
    graph: graphOf(withFreeConstants(changed(ModelProtoSchema, model, { graph }))),
  });
}

/** Upgrades a graph and those nested in it. */
class Upgrade {
  readonly #root: GraphProto;
  readonly #from: number;
  readonly #names: FreshNames;
  readonly #constants: TensorProto[] = [];

  constructor(root: GraphProto, from: number) {
    this.#root = root;
    this.#from = from;
    this.#names = new FreshNames(root);
  }

  graph(): GraphProto {
    const graph = this.#upgrade(this.#root);
    return changed(GraphProtoSchema, graph, { initializer: [...graph.initializer, ...this.#constants] });
  }

  #upgrade(graph: GraphProto): GraphProto {
    const types = new ElementTypes(graph);
    const context = this.#contextOf(graph, types);
    const node = graph.node.flatMap((original) => {
      types.infer(original);
      const nested = this.#withNested(original);
      const change = original.domain === '' ? OPERATOR_CHANGES[original.opType] : undefined;
      if (this.#from < 7 && original.domain === '') requireUnchangedIn7(original);
      if (change === undefined || this.#from >= change.since) return [nested];
      return change.convert(nested, context);
    });
    return changed(GraphProtoSchema, graph, { node });
  }

  #withNested(node: NodeProto): NodeProto {
    if (node.attribute.every(({ g, graphs }) => g === undefined && graphs.length === 0)) return node;
    const attribute = node.attribute.map((one) =>
      changed(AttributeProtoSchema, one, {
        ...(one.g === undefined ? {} : { g: this.#upgrade(one.g) }),
        graphs: one.graphs.map((graph) => this.#upgrade(graph)),
      }),
    );
    return changed(NodeProtoSchema, node, { attribute });
  }

  #contextOf(graph: GraphProto, types: ElementTypes): UpgradeContext {
    const constants = initializersOf(graph);
    const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
    const read = new Set([...graph.node.flatMap(namesReadBy), ...graph.output.map(({ name }) => name)]);
    return {
      from: this.#from,
      constant: (name) => constants.get(name) ?? constantOf(makers.get(name)),
      typeOf: (name) => types.typeOf(name),
      rankOf: (name) => declaredRank(graph, name) ?? madeRank(makers.get(name)),
      isRead: (name) => read.has(name),
      addConstant: (preferred, make) => {
        const tensor = make(this.#names.tensor(preferred));
        this.#constants.push(tensor);
        return tensor.name;
      },
      freshName: (preferred) => this.#names.tensor(preferred),
    };
  }
}

function constantOf(node: NodeProto | undefined): TensorProto | undefined {
  return node?.opType === 'Constant' && node.domain === '' ? findAttribute(node, 'value')?.t : undefined;
}

function declaredRank({ input, output, valueInfo }: GraphProto, name: string): number | undefined {
  const type = [...input, ...output, ...valueInfo].find((value) => value.name === name)?.type?.value;
  return type?.case === 'tensorType' ? type.value.shape?.dim.length : undefined;
}

/** Rank of the result of operators that always make a matrix. */
function madeRank(node: NodeProto | undefined): number | undefined {
  return node?.opType === 'Gemm' || node?.opType === 'Flatten' ? 2 : undefined;
}
