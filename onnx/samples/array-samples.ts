import { AppError } from '../../core/errors.ts';
import { type Datatype, ELEMENTS, elementCount, type Tensor, type TensorData } from '../../core/tensors/tensor.ts';
import type { Feeds } from '../runtime/feeds.ts';
import type { ModelInput } from './model-inputs.ts';
import { type NpyFile, readElements } from './npy-file.ts';

/** The samples of one input in an array. */
interface SlicedArray {
  readonly file: NpyFile;
  readonly input: ModelInput;
  readonly count: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
}

/**
 * Takes the samples of each input from an array, whose first dimension counts them.
 *
 * An array has either the dimensions of the input, of which the first is cut into parts as long as the model declares it
 * (one if it varies), or one dimension more.
 *
 * @param arrays - Arrays by the names of the inputs.
 * @throws AppError `INVALID_PARAMETER` when an array is missing or unknown, or the arrays do not hold equally many samples.
 */
export function arrayFeeds(arrays: ReadonlyMap<string, NpyFile>, inputs: readonly ModelInput[], path: string): Feeds {
  const names = inputs.map(({ name }) => name);
  const unknown = [...arrays.keys()].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw wrong(`${path} has ${unknown.join(', ')}, which the model does not take: it takes ${names.join(', ')}`);
  }
  const sliced = inputs.map((input) => {
    const file = arrays.get(input.name);
    if (file === undefined) throw wrong(`${path} lacks ${input.name}: the model takes ${names.join(', ')}`);
    return slice(file, input);
  });
  const [first] = sliced;
  const other = sliced.find(({ count }) => count !== first?.count);
  if (other !== undefined && first !== undefined) {
    throw wrong(
      `${first.file.source} holds ${first.count} samples, ${other.file.source} ${other.count}: they must contain equally many`,
    );
  }
  return {
    count: first?.count ?? 0,
    read: async (index) => Object.fromEntries(sliced.map((array) => [array.input.name, readSample(array, index)])),
  };
}

function slice(file: NpyFile, input: ModelInput): SlicedArray {
  const { shape, source } = file;
  const declared = input.shape ?? shape;
  const [first = 0, ...rest] = shape;
  if (shape.length === declared.length + 1) return { file, input, count: first, shape: rest };
  if (shape.length !== declared.length || shape.length === 0) {
    throw wrong(
      `${source} has ${shape.length} dimensions, must have ${declared.length} or ${declared.length + 1}: the first counts the samples`,
    );
  }
  const length = typeof declared[0] === 'number' ? declared[0] : 1;
  if (length === 0 || first % length !== 0) {
    throw wrong(`${source} has ${first} rows, must be a multiple of the ${length} that the model takes at a time`);
  }
  return { file, input, count: first / length, shape: [length, ...rest] };
}

function readSample({ file, input, shape }: SlicedArray, index: number): Tensor {
  const count = elementCount(shape);
  const data = readElements(file, index * count, count);
  const datatype = input.datatype ?? file.datatype;
  return { datatype, shape, data: convert(data, file, datatype) };
}

const FLOATS: readonly Datatype[] = ['FP16', 'FP32', 'FP64'];

/** numpy computes in 64 bits by default; models rarely do. */
function convert(data: TensorData, { datatype: from, source }: NpyFile, to: Datatype): TensorData {
  if (from === to) return data;
  if (
    from === 'BYTES' ||
    to === 'BYTES' ||
    from === 'BOOL' ||
    to === 'BOOL' ||
    (FLOATS.includes(from) && !FLOATS.includes(to))
  ) {
    throw wrong(`${source} is ${from}, the model takes ${to}`);
  }
  const values = numbersOf(data, from);
  if (to === 'FP16') return new Uint16Array(Float16Array.from(values, Number).buffer);
  if (to === 'INT64') return BigInt64Array.from(values, (value) => BigInt(value));
  if (to === 'UINT64') return BigUint64Array.from(values, (value) => BigInt(value));
  const converted = new ELEMENTS[to](values.length);
  for (const [index, value] of values.entries()) {
    converted[index] = Number(value);
    if (!FLOATS.includes(to) && converted[index] !== Number(value)) {
      throw wrong(`${source} holds ${value}, which is out of the range of ${to}`);
    }
  }
  return converted;
}

function numbersOf(data: TensorData, from: Datatype): (number | bigint)[] {
  const values = from === 'FP16' && data instanceof Uint16Array ? new Float16Array(data.buffer) : data;
  const numbers: (number | bigint)[] = [];
  for (const value of values) if (typeof value !== 'string') numbers.push(value);
  return numbers;
}

function wrong(message: string): AppError {
  return new AppError('INVALID_PARAMETER', message, { param: 'inputs' });
}
