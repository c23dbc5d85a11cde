import type { ObjectEntries } from 'valibot';
import type { Signature, Task, TaskModel } from './task.ts';

/** Manifest keys of a task's models, in addition to the keys that every model has. */
export interface TaskKeys {
  /** Keys of the manifest itself. */
  readonly manifest: ObjectEntries;
  /** Keys of its section `limits`. */
  readonly limits: ObjectEntries;
  /** Keys of its section `batching`. */
  readonly batching: ObjectEntries;
  /** Keys of its section `compute`, if the target is sagemaker. */
  readonly sagemaker: ObjectEntries;
}

/** Reads a JSON file of a model folder; undefined if it does not exist. */
export type ReadJsonFile = (name: string) => unknown;

/** Keys for a new manifest. Members that are undefined are left out. */
export type SuggestedKeys = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The part of a task that only packing and synthesis need. A function that serves models never loads its schemas. */
export interface TaskDefinition {
  readonly task: Task;
  /** Describes the task, as the rest of a sentence that starts with its name. */
  readonly summary: string;
  readonly keys: TaskKeys;
  /** Settings of the container Text Embeddings Inference; absent if it does not run the task. */
  readonly tei?: {
    /** Environment variables of the container. */
    environment(model: TaskModel): Record<string, string>;
  };
  /** Whether the task needs the meaning of the first dimension of the tensors, which packing then determines. */
  readonly usesRows: boolean;
  /** Limits of requests, as members of the model in OpenAI's list of models. */
  describeLimits(model: TaskModel, signature: Signature): Readonly<Record<string, unknown>>;
  /**
   * Checks that a packed version can be used for the task.
   *
   * @throws AppError `ONNX_INVALID` when it cannot, `MANIFEST_INVALID` when the manifest does not fit it.
   */
  checkSignature(model: TaskModel, signature: Signature): void;
  /** Suggests keys for a new manifest from the files that exporters write beside a model. Absent if there are none. */
  suggestKeys?(readJson: ReadJsonFile): SuggestedKeys;
  /** Bytes of one result in the results cache; undefined if that varies. */
  resultBytes(signature: Signature): number | undefined;
}
