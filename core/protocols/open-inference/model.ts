import { AppError } from '../../errors.ts';
import type { Datatype, Tensor, TensorData, TensorDescription } from '../../tensors/tensor.ts';
import { checkTensor } from '../../tensors/tensor-json.ts';

/** Parameters of the Open Inference Protocol: scalars only. */
export type InferParameters = Readonly<Record<string, string | number | bigint | boolean>>;

/** An input of a request. */
export interface InferInput extends Tensor {
  readonly parameters?: InferParameters;
}

/** An output that a request names. */
export interface RequestedOutput {
  readonly name: string;
  /** Whether its elements are requested as bytes; undefined leaves it to the request. */
  readonly isBinary?: boolean | undefined;
  /** The number of classes to return in place of the elements (Triton's classification extension). */
  readonly classes?: number | undefined;
}

/** The form of a response: JSON, JSON with binary tensors behind it, or a message of the protocol's gRPC service. */
export type ResponseForm = 'json' | 'binary' | 'protobuf';

/** A request of `POST /v2/models/{id}/infer`. */
export interface InferRequest {
  /** Given by the caller, to be echoed. */
  readonly id?: string;
  readonly parameters: InferParameters;
  readonly inputs: ReadonlyMap<string, InferInput>;
  /** The requested outputs; absent means all. */
  readonly outputs?: readonly RequestedOutput[];
}

/** An output of a response. */
export interface InferOutput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** The elements, in parts that follow each other. */
  readonly parts: readonly TensorData[];
}

/** A response of `POST /v2/models/{id}/infer`. */
export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The request's id. */
  readonly id?: string | undefined;
  readonly outputs: readonly InferOutput[];
}

/** The model that a request goes to. */
export interface InferTarget {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputs: readonly TensorDescription[];
}

/**
 * Checks that a request holds exactly the tensors that a model takes.
 *
 * @param descriptions - Inputs of the model.
 * @returns The tensors by name.
 * @throws AppError `INVALID_TENSOR` when one is missing, unknown, or of another datatype or shape.
 */
export function validateInputs(
  inputs: ReadonlyMap<string, Tensor>,
  descriptions: readonly TensorDescription[],
): Record<string, Tensor> {
  const names = descriptions.map(({ name }) => name);
  if ([...inputs.keys()].some((name) => !names.includes(name))) {
    throw invalidTensor(`holds an input that the model does not have, its inputs are ${names.join(', ')}`, 'inputs');
  }
  return Object.fromEntries(
    descriptions.map((description) => {
      const tensor = inputs.get(description.name);
      if (tensor === undefined) throw invalidTensor(`lacks the input ${description.name}`, 'inputs');
      checkTensor(tensor, description, `input ${description.name}`);
      const { datatype, shape, data } = tensor;
      return [description.name, { datatype, shape, data }];
    }),
  );
}

/** Datatypes whose elements have no order to choose classes by. */
const WITHOUT_CLASSES: readonly Datatype[] = ['BYTES', 'BOOL'];

/**
 * Checks that a model has the outputs that a request names, before the model runs.
 *
 * @returns The outputs to write: those that the request names, else all of the model.
 * @throws AppError `INVALID_TENSOR` when one is unknown, or has no classes although the request asks for them.
 */
export function requestedOutputs(
  requested: readonly RequestedOutput[] | undefined,
  descriptions: readonly Pick<TensorDescription, 'name' | 'datatype'>[],
): readonly RequestedOutput[] {
  if (requested === undefined) return descriptions.map(({ name }) => ({ name }));
  for (const [index, { name, classes }] of requested.entries()) {
    const description = descriptions.find((output) => output.name === name);
    if (description === undefined) {
      const names = descriptions.map((output) => output.name).join(', ');
      throw invalidTensor(`is not an output of the model, its outputs are ${names}`, `outputs[${index}].name`);
    }
    if (classes !== undefined && WITHOUT_CLASSES.includes(description.datatype)) {
      throw invalidTensor(
        `must be absent, because ${name} is ${description.datatype}`,
        `outputs[${index}].parameters.classification`,
      );
    }
  }
  return requested;
}

/** Creates the error for a tensor that is wrong. */
export function invalidTensor(rule: string, param: string): AppError {
  return new AppError('INVALID_TENSOR', `${param} ${rule}`, { param });
}
