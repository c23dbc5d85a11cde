import { AppError } from '../../core/errors.ts';
import type { Datatype } from '../../core/tensors/tensor.ts';
import { callerInputs } from '../format/inspect.ts';
import { TensorProto_DataType as DataType, type ModelProto, type ValueInfoProto } from '../format/onnx-messages.ts';
import type { Tensors } from '../runtime/session.ts';

/** An input of a model, as far as the file declares it. */
export interface ModelInput {
  readonly name: string;
  /** Undefined for an element type that no sample can have. */
  readonly datatype: Datatype | undefined;
  /** Length of each dimension, or its name if it varies; undefined when even their number is left open. */
  readonly shape: readonly (number | string)[] | undefined;
}

const DATATYPES: Readonly<Record<number, Datatype>> = {
  [DataType.BOOL]: 'BOOL',
  [DataType.UINT8]: 'UINT8',
  [DataType.UINT16]: 'UINT16',
  [DataType.UINT32]: 'UINT32',
  [DataType.UINT64]: 'UINT64',
  [DataType.INT8]: 'INT8',
  [DataType.INT16]: 'INT16',
  [DataType.INT32]: 'INT32',
  [DataType.INT64]: 'INT64',
  [DataType.FLOAT16]: 'FP16',
  [DataType.FLOAT]: 'FP32',
  [DataType.DOUBLE]: 'FP64',
  [DataType.STRING]: 'BYTES',
};

/** Returns the inputs that every run has to give, without the constants that a model may list as inputs too. */
export function inputsOf(model: ModelProto): ModelInput[] {
  return callerInputs(model).map(inputOf);
}

function inputOf({ name, type }: ValueInfoProto): ModelInput {
  if (type?.value.case !== 'tensorType') return { name, datatype: undefined, shape: undefined };
  const { elemType, shape } = type.value.value;
  const dimensions = shape?.dim.map(({ value }) => {
    if (value.case === 'dimValue') return Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : '?';
  });
  return { name, datatype: DATATYPES[elemType], shape: dimensions };
}

/** Writes an input as messages show it: `x FP32 [n, 16]`. */
export function writeInput({ name, datatype, shape }: ModelInput): string {
  return `${name} ${datatype ?? 'of an element type that no sample can have'} [${shape?.join(', ') ?? '...'}]`;
}

/**
 * Checks that a sample is what a model takes, so that a mistake in the samples is not taken for one in the model.
 *
 * @param source - Where the sample is from, such as `inputs.json[3]`.
 * @throws AppError `INVALID_PARAMETER` when an input is missing, unknown, of another datatype or another shape.
 */
export function checkFeed(feed: Tensors, inputs: readonly ModelInput[], source: string): void {
  const required = inputs.map(writeInput).join(', ');
  const unknown = Object.keys(feed).filter((name) => !inputs.some((input) => input.name === name));
  if (unknown.length > 0)
    throw wrong(source, `has ${unknown.join(', ')}, which the model does not take: it takes ${required}`);
  for (const input of inputs) {
    const tensor = Object.hasOwn(feed, input.name) ? feed[input.name] : undefined;
    if (tensor === undefined) throw wrong(source, `lacks ${input.name}: the model takes ${required}`);
    const { datatype, shape } = tensor;
    if (datatype !== input.datatype)
      throw wrong(source, `has ${input.name} as ${datatype}, the model takes ${writeInput(input)}`);
    if (!fits(shape, input.shape)) {
      throw wrong(source, `has ${input.name} of shape [${shape.join(', ')}], the model takes ${writeInput(input)}`);
    }
  }
}

function fits(shape: readonly number[], declared: ModelInput['shape']): boolean {
  if (declared === undefined) return true;
  return (
    shape.length === declared.length &&
    declared.every((length, index) => typeof length === 'string' || length === shape[index])
  );
}

function wrong(source: string, problem: string): AppError {
  return new AppError('INVALID_PARAMETER', `${source} ${problem}`, { param: 'inputs' });
}
