import { parseManifest } from '../../../core/models/manifest.ts';
import type { Signature, TaskContext } from '../../../core/tasks/contract/task.ts';
import type { TextTokenizer } from '../../../core/tasks/contract/text-tokenizer.ts';
import type { EmbeddingContext, EmbeddingModel } from '../../../core/tasks/embedding/embedding-model.ts';
import type { TaskName } from '../../../core/tasks/tasks.ts';

const VERSIONS = { '1': { weights: '1/model.onnx', sha256: 'a'.repeat(64) } };

/** Parses a manifest of a task. */
export function manifestOf(task: TaskName, more: Readonly<Record<string, unknown>> = {}) {
  return parseManifest({ id: 'm', task, versions: VERSIONS, ...more }, 'test');
}

/** Creates the context in which a task computes. */
export function contextOf(
  task: TaskName,
  signature: Signature,
  { manifest, sha256 = 'w' }: { readonly manifest?: Readonly<Record<string, unknown>>; readonly sha256?: string } = {},
): TaskContext {
  return { model: manifestOf(task, manifest), version: { name: '1', packed: { sha256, ...signature } }, ports: {} };
}

/** A tokenizer of words: the id of a word is its length. */
export const WORDS: TextTokenizer = {
  vocabularySize: 100,
  encode: (text) => [1, ...text.split(' ').map((word) => 3 + word.length), 2],
  wrap: (ids) => [1, ...ids, 2],
  truncate: (ids, maxTokens, side) =>
    side === 'start' ? [1, ...ids.slice(1 - maxTokens)] : [...ids.slice(0, maxTokens - 1), 2],
};

/** The signature of a text encoder. */
export const ENCODER: Signature = {
  inputs: [
    { name: 'input_ids', datatype: 'INT64', shape: [-1, -1] },
    { name: 'attention_mask', datatype: 'INT64', shape: [-1, -1] },
  ],
  outputs: [{ name: 'last_hidden_state', datatype: 'FP32', shape: [-1, -1, 4] }],
};

/** Creates the context in which an embedding model computes. */
export function embeddingContext(more: Readonly<Record<string, unknown>> = {}): EmbeddingContext {
  const { model, version } = contextOf('embedding', ENCODER, { manifest: more });
  return { model: model as EmbeddingModel, version, ports: { tokenizer: WORDS } };
}
