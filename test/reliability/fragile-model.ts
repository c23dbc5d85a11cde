import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { makeNode } from '../../onnx/format/graph.ts';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
} from '../../onnx/format/onnx-messages.ts';
import { encodeModel } from '../../onnx/format/proto.ts';
import { tensorProto } from '../../onnx/format/tensor-proto.ts';
import { smallModel, value } from '../onnx/small-models.ts';

/** Id of the model. */
export const FRAGILE = 'fragile';

/** Route of its requests. */
export const FRAGILE_ENDPOINT = `/v2/models/${FRAGILE}/infer`;

/** Starts after which its jobs and lines fail: each one that ends a worker costs the time of so many workers. */
export const FRAGILE_TRIES = 3;

/** How a request to the model behaves. */
export type Behavior = 'fine' | 'memory' | 'endless';

/** Numbers that the model allocates, four bytes each, for {@link Behavior} `memory`: more than its function has. */
const NUMBERS_BEYOND_MEMORY = 250_000_000;

/** Steps that take years. */
const ENDLESS_STEPS = Number.MAX_SAFE_INTEGER;

const MANIFEST = `
id: ${FRAGILE}
task: tensor
versions:
  "1": { weights: 1/model.onnx, sha256: SHA256 }
compute: { target: lambda, memoryMiB: 512 }
cache: { store: none }
jobs: { maxReceiveCount: ${FRAGILE_TRIES}, maxConcurrency: 4, timeoutSeconds: 10 }
`;

/**
 * Writes a model whose requests decide how much memory and how much time it takes. It counts to `steps`, and allocates
 * `memory` numbers.
 *
 * @param folder - The folder `models`.
 */
export async function writeFragileModel(folder: string): Promise<void> {
  const weights = encodeModel(
    smallModel({
      nodes: [
        makeNode('ConstantOfShape', 'fill', ['memory'], ['filled']),
        makeNode('ReduceSum', 'sum', ['filled'], ['nothing']),
        makeNode('Loop', 'count', ['steps', '', 'zero'], ['counted'], [graphAttribute('body', countingBody())]),
        makeNode('Add', 'add', ['nothing', 'counted'], ['total']),
      ],
      inputs: [value('memory', [1], DataType.INT64), value('steps', [1], DataType.INT64)],
      outputs: [value('total', [1])],
      constants: [tensorProto('zero', [1], new Float32Array(1))],
    }),
  );
  await mkdir(join(folder, FRAGILE, '1'), { recursive: true });
  await writeFile(join(folder, FRAGILE, '1/model.onnx'), weights);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  await writeFile(join(folder, FRAGILE, 'model.yaml'), MANIFEST.replace('SHA256', sha256));
}

/** Creates the body of a request. The response to one that is `fine` contains `steps`. */
export function fragileBody(behavior: Behavior, steps: number): object {
  const input = (name: string, number: number) => ({ name, shape: [1], datatype: 'INT64', data: [number] });
  const memory = behavior === 'memory' ? NUMBERS_BEYOND_MEMORY : 1;
  return { inputs: [input('memory', memory), input('steps', behavior === 'endless' ? ENDLESS_STEPS : steps)] };
}

/** Adds one in each step. */
function countingBody(): GraphProto {
  return create(GraphProtoSchema, {
    name: 'counting',
    node: [makeNode('Identity', 'go', ['may'], ['goes']), makeNode('Add', 'next', ['count', 'one'], ['next'])],
    input: [value('step', [], DataType.INT64), value('may', [], DataType.BOOL), value('count', [1])],
    output: [value('goes', [], DataType.BOOL), value('next', [1])],
    initializer: [tensorProto('one', [1], new Float32Array([1]))],
  });
}

function graphAttribute(name: string, g: GraphProto) {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.GRAPH, g });
}
