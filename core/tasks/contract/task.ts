import type { Body, Encoded } from '../../api/body.ts';
import type { Hash } from '../../results/canonical-bytes.ts';
import type { Tensor, TensorDescription } from '../../tensors/tensor.ts';
import type { RunBudget } from './micro-batches.ts';
import type { PreprocessorName, Preprocessors } from './preprocessors.ts';

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** The part of a manifest that every task may use. A task's own keys are in its own type. */
export interface TaskModel {
  readonly id: string;
  readonly limits: { readonly maxItems: number };
  readonly batching: { readonly maxItems: number };
  readonly compute: TaskCompute;
}

/** The target that a model runs on. */
export type TaskCompute =
  | { readonly target: 'lambda' }
  | {
      readonly target: 'sagemaker';
      readonly container: 'triton' | 'tei';
      readonly tensorRt: boolean;
      readonly image?: string | undefined;
    };

/**
 * Meaning of the first dimension of a model's tensors:
 * - `independent`: it counts items, and not one bit of an item's result depends on the rest of its run;
 * - `together`: it counts items, but an item's result may depend on the others in its run.
 *
 * Undefined means that it does not count items.
 */
export type Rows = 'independent' | 'together';

/** The tensors of a model's file. */
export interface Signature {
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
  readonly rows?: Rows | undefined;
}

/** A packed version of a model. */
export interface TaskVersion {
  readonly name: string;
  readonly packed: Signature & {
    /** SHA-256 of the weights that run. */
    readonly sha256: string;
  };
}

/** Inputs of a task: the manifest, the version, and the ports that the task named. */
export interface TaskContext<Model extends TaskModel = TaskModel, Port extends PreprocessorName = never> {
  readonly model: Model;
  readonly version: TaskVersion;
  readonly ports: Pick<Preprocessors, Port>;
}

/** Inputs of {@link Codec.encode} besides the results. */
export interface Answered<Request, Features> {
  /** The request as {@link Codec.decode} read it. */
  readonly request: Request;
  /** The features of its items, in their order. */
  readonly features: readonly Features[];
}

/** How the requests of one operation are read, and its responses written. */
export interface Codec<Request = unknown, Features = unknown, Result = unknown, Context = TaskContext> {
  /**
   * Reads and checks a request. Everything that can be wrong with a request is found here or in {@link Task.prepare}:
   * a later failure is never the caller's fault.
   *
   * @returns A promise only if code for a rare form of body is loaded.
   * @throws AppError with the code of the problem.
   */
  decode(body: Body, context: Context): Request | Promise<Request>;
  /**
   * Checks before the model runs that the response will not be too large. Absent if its size is not known by then.
   *
   * @param maxBytes - Maximum size of the response, as a string in JSON.
   * @throws AppError `TOO_MANY_ITEMS` that says how many items fit.
   */
  checkSize?(request: Request, context: Context, maxBytes: number): void;
  /**
   * Writes a response.
   *
   * @param results - One for each item of the request.
   * @returns A promise only if code for a rare form of response is loaded.
   * @throws AppError `ANSWER_NOT_FINITE` for NaN and infinity, `BAD_GATEWAY` when the model gave something else than its
   * signature promises.
   */
  encode(
    results: readonly Result[],
    answered: Answered<Request, Features>,
    context: Context,
  ): Encoded | Promise<Encoded>;
}

/** A codec, or how to load one that few callers use. */
export type CodecSource<C> = () => C | Promise<C>;

/** Converts results to bytes for the results cache, and back. */
export interface ResultCodec<Result> {
  encode(result: Result): Uint8Array;
  decode(bytes: Uint8Array): Result;
}

/** How much two results agree, by the task's own measure. */
export interface Agreement {
  /** Name of the measure. */
  readonly measure: string;
  /** 1 for results that are the same, less the more they differ. */
  readonly value: number;
}

/**
 * One kind of model: how its requests are read, computed and written. A request has items, each item has features, and
 * the model makes one result of the features of each item.
 *
 * `test/core/tasks/contract.ts` holds the contract that every task must fulfil.
 */
export interface Task<
  Request = unknown,
  Features = unknown,
  Result = unknown,
  Model extends TaskModel = TaskModel,
  Port extends PreprocessorName = never,
> {
  readonly name: string;
  /** Preprocessors that {@link prepare} and the codecs use. */
  readonly preprocessors: readonly PreprocessorName[];
  /** Codecs by operation: `predict`, `infer`, and the operations of the task's own routes. */
  readonly codecs: Readonly<Record<string, CodecSource<Codec<Request, Features, Result, TaskContext<Model, Port>>>>>;
  /** The inputs and outputs that callers see (Open Inference Protocol v2, "Model Metadata"). */
  describe(signature: Signature): Signature;
  /**
   * Turns the items of a request into features.
   *
   * @returns One for each item.
   * @throws AppError with the code of the problem of an item.
   */
  prepare(request: Request, context: TaskContext<Model, Port>): readonly Features[] | Promise<readonly Features[]>;
  /** Tokens of an item, for the metrics; zero if the task has no tokens. */
  tokens(features: Features): number;
  /** Cost of an item in a run: a run of several items costs as much as if each were the most expensive of them. */
  cost(features: Features): number;
  /** The bounds of one run of the model, in the unit of {@link cost}. */
  budget(model: Model): RunBudget;
  /** Items with the same key may share a run; an item whose key is undefined runs alone. */
  runKey(features: Features, context: TaskContext<Model, Port>): string | undefined;
  /** Lays the features of one run out as the inputs of the model. */
  layOut(batch: readonly Features[], context: TaskContext<Model, Port>): Tensors;
  /**
   * Reads the outputs of one run.
   *
   * @returns One result for each item.
   * @throws AppError `BAD_GATEWAY` if the outputs do not match the signature, `ANSWER_NOT_FINITE` when they
   * hold NaN or infinity.
   */
  read(outputs: Tensors, batch: readonly Features[], context: TaskContext<Model, Port>): readonly Result[];
  /** The key of an item's result in the results cache: it covers everything that changes the result. */
  fingerprint(hash: Hash, features: Features, context: TaskContext<Model, Port>): string;
  readonly resultCodec: ResultCodec<Result>;
  /** Compares two results for the same item. */
  compare(a: Result, b: Result): Agreement;
  /** An item to warm the model up with. */
  readonly warmUp: {
    features(context: TaskContext<Model, Port>): Features;
    /** Whether every model of the task must be able to compute the item. */
    readonly isTypical: boolean;
  };
  /**
   * Outputs of the right shapes for the inputs of a run, which stand for a result that is not known yet.
   *
   * @throws Nothing: {@link read} accepts them.
   */
  blank(inputs: Tensors, context: TaskContext<Model, Port>): Record<string, Tensor>;
}
