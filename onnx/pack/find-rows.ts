import { AppError } from '../../core/errors.ts';
import type { Rows } from '../../core/tasks/contract/task.ts';
import { halvesOf } from '../../core/tensors/half.ts';
import { splitRows } from '../../core/tensors/rows.ts';
import { ELEMENTS, elementCount, type Tensor, type TensorDescription } from '../../core/tensors/tensor.ts';
import { bytesOf } from '../format/tensor-proto.ts';
import type { Signature } from '../runtime/save-ort.ts';
import type { Session, Tensors } from '../runtime/session.ts';

/** Rows that a model is tried with. */
const ROWS = 3;

/**
 * Magnitudes of the numbers to try: around one, and from one to ten thousand in one feed. Some models let rows meet only
 * beyond a threshold, as one that clips at the largest value of the run.
 */
const MAGNITUDES = [1, 10_000];

/** Lengths to try for dimensions that vary, besides the first. */
const LENGTHS = [8, 32, 224];

/** The meaning of the first dimension, as far as the model's file and sample runs show it. */
export interface RowsFinding {
  /** Undefined when the first dimension does not count items. */
  readonly rows: Rows | undefined;
  /** The fact that rules out every other meaning, for messages. Absent if the finding is only likely. */
  readonly proof?: string;
}

/**
 * Determines the meaning of the first dimension of a model's tensors. It uses the declared shapes and, if the dimension
 * varies, runs the model: three rows together must give three rows, equal to those of each row alone.
 *
 * A model whose rows depend on each other is not refused, but its requests are never split or merged. An example is
 * dynamic quantization, which takes its scales from the whole run. Equal means bit for bit, because a cached result
 * must equal a computed one.
 * Sample runs can show that rows depend on each other, but never that they do not.
 *
 * @param session - The model as the function will run it.
 */
export async function findRows(signature: Signature, session: Session): Promise<RowsFinding> {
  const declared = declaredRows(signature);
  if (declared !== undefined) return declared;
  const magnitudes = signature.inputs.some(isFloat) ? MAGNITUDES : [1];
  for (const length of LENGTHS) {
    const found: RowsFinding[] = [];
    for (const magnitude of magnitudes) {
      const feed = sampleOf(signature.inputs, length, magnitude);
      const together = feed === undefined ? undefined : await outputsOf(feed, session);
      if (feed !== undefined && together !== undefined) found.push(await compareRows(feed, together, session));
    }
    const [first] = found;
    if (first !== undefined) {
      return found.find(({ rows }) => rows === undefined) ?? found.find(({ rows }) => rows === 'together') ?? first;
    }
  }
  // The model cannot be tried with made-up numbers, so that only the names of its dimensions are left.
  return { rows: signature.batchNames.length === 1 ? 'together' : undefined };
}

/**
 * Reads the meaning of the first dimension from the declared shapes.
 *
 * @returns Undefined when every tensor has a first dimension that varies: then the shapes do not decide.
 */
export function declaredRows({ inputs, outputs }: Pick<Signature, 'inputs' | 'outputs'>): RowsFinding | undefined {
  const firsts = new Set([...inputs, ...outputs].map(({ shape }) => shape[0]));
  const [first] = firsts;
  if (inputs.length === 0 || firsts.size !== 1 || first === undefined || first === 0) {
    return { rows: undefined, proof: 'its tensors do not all have the same first dimension' };
  }
  if (first === -1) return undefined;
  if (first === 1) return { rows: 'independent', proof: 'its file takes one row in a run' };
  return { rows: 'together', proof: `its file takes exactly ${first} rows in a run` };
}

/**
 * Combines the owner's word, the key `rows` of the manifest, with what packing found.
 *
 * @param stated - Undefined if the manifest does not have the key.
 * @param version - The version, for the message.
 * @throws AppError `MANIFEST_INVALID` when the file or a sample run proves the opposite.
 */
export function chooseRows(stated: Rows | undefined, found: RowsFinding, version: string): Rows | undefined {
  if (stated === undefined || stated === found.rows) return found.rows;
  if (found.proof === undefined) return stated;
  const remedy = found.rows === 'together' ? 'write together, or remove the key' : 'remove the key';
  throw new AppError('MANIFEST_INVALID', `rows must not be ${stated} for ${version}: ${found.proof}; ${remedy}`);
}

async function compareRows(feed: Tensors, together: Tensors, session: Session): Promise<RowsFinding> {
  const whole = Object.entries(together);
  const odd = whole.find(([, { shape }]) => shape[0] !== ROWS);
  if (odd !== undefined) {
    const [name, { shape }] = odd;
    return {
      rows: undefined,
      proof: `for inputs of ${ROWS} rows, its output ${name} has the shape [${shape.join(', ')}]`,
    };
  }
  const rows = rowsOf(feed);
  for (const [index, row] of rows.entries()) {
    const alone = await outputsOf(row, session);
    if (alone === undefined) {
      return { rows: 'together', proof: 'in a sample run, it refused a row alone that it took beside others' };
    }
    const isEqual = whole.every(([name, tensor]) => isSame(splitRows(tensor)[index], alone[name]));
    if (!isEqual)
      return { rows: 'together', proof: 'in a sample run, a row gave another result alone than beside others' };
  }
  return { rows: 'independent' };
}

function rowsOf(feed: Tensors): Tensors[] {
  const columns = Object.entries(feed).map(([name, tensor]) => [name, splitRows(tensor)] as const);
  return Array.from({ length: ROWS }, (_, row) =>
    Object.fromEntries(columns.flatMap(([name, rows]) => (rows[row] === undefined ? [] : [[name, rows[row]]]))),
  );
}

/** @returns Undefined when the model does not take the inputs. */
async function outputsOf(feed: Tensors, session: Session): Promise<Tensors | undefined> {
  try {
    return await session.run(feed);
  } catch {
    return undefined;
  }
}

function isSame(a: Tensor | undefined, b: Tensor | undefined): boolean {
  if (a === undefined || b === undefined || a.shape.join() !== b.shape.join()) return false;
  if (!ArrayBuffer.isView(a.data) || !ArrayBuffer.isView(b.data)) return String(a.data) === String(b.data);
  return Buffer.compare(bytesOf(a.data), bytesOf(b.data)) === 0;
}

/**
 * Generates numbers that differ from row to row; undefined if an input has strings, which it cannot generate.
 */
function sampleOf(inputs: readonly TensorDescription[], length: number, magnitude: number): Tensors | undefined {
  if (inputs.some(({ datatype }) => datatype === 'BYTES')) return undefined;
  return Object.fromEntries(inputs.map((input) => [input.name, sampleTensor(input, length, magnitude)]));
}

/** Returns whether samples of an input depend on their magnitude. */
function isFloat({ datatype }: TensorDescription): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

function sampleTensor({ datatype, shape: [, ...inner] }: TensorDescription, length: number, magnitude: number): Tensor {
  const shape = [ROWS, ...inner.map((dimension) => (dimension === -1 ? length : dimension))];
  const count = elementCount(shape);
  if (datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64') {
    const data = new ELEMENTS[datatype](count);
    const values = datatype === 'FP16' ? halvesOf(data) : data;
    for (let index = 0; index < count; index++) values[index] = Math.sin(index * 1.7) * magnitude ** ((index % 5) / 4);
    return { datatype, shape, data };
  }
  // Zeros and ones are in the range of every kind of id, mask and flag.
  const bits = Uint8Array.from({ length: count }, (_, index) => ((index * 7) % 5) & 1);
  if (datatype === 'INT64' || datatype === 'UINT64') {
    const data = new ELEMENTS[datatype](count);
    for (const [index, bit] of bits.entries()) data[index] = BigInt(bit);
    return { datatype, shape, data };
  }
  const data = new ELEMENTS[datatype === 'BYTES' ? 'UINT8' : datatype](count);
  data.set(bits);
  return { datatype, shape, data };
}
