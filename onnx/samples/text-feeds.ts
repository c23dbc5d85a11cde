import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensors/tensor.ts';
import type { Tensors } from '../runtime/session.ts';

/** The one part of a `tokenizer.json` that is read here; the rest is the tokenizer library's. */
const tokenizerSchema = v.looseObject({
  model: v.looseObject({}),
  truncation: v.optional(v.nullable(v.looseObject({ max_length: v.pipe(v.number(), v.integer(), v.minValue(2)) }))),
});

/** Longest input that is tried when the tokenizer states none: the position limit of BERT and its kin. */
const DEFAULT_MAX_TOKENS = 512;

function int64Row(values: readonly number[]): Tensor {
  return { datatype: 'INT64', shape: [1, values.length], data: BigInt64Array.from(values, BigInt) };
}

/** Keeps the closing special token of an input that is too long. */
function cut(ids: readonly number[], maxTokens: number): readonly number[] {
  return ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ...ids.slice(-1)];
}

/**
 * Creates a function that turns a text into inputs of an encoder: one row, not padded.
 *
 * @param tokenizer - Parsed `tokenizer.json`.
 * @param inputNames - Inputs of the model, of which `input_ids`, `attention_mask` and `token_type_ids` are known.
 * @param maxTokens - Tokens after which a text is cut, special ones included. Defaults to the tokenizer's own limit,
 * or 512.
 * @throws AppError `INVALID_PARAMETER` when the tokenizer is none, or the model has other inputs.
 */
export function textFeeds(
  tokenizer: unknown,
  inputNames: readonly string[],
  maxTokens?: number,
): (text: string) => Tensors {
  const parsed = v.safeParse(tokenizerSchema, tokenizer);
  if (!parsed.success) {
    throw new AppError('INVALID_PARAMETER', 'the tokenizer file is not a tokenizer.json: it must contain a model', {
      param: 'tokenizer',
    });
  }
  const unknown = inputNames.filter((name) => !['input_ids', 'attention_mask', 'token_type_ids'].includes(name));
  if (unknown.length > 0) {
    throw new AppError(
      'INVALID_PARAMETER',
      `texts need a text encoder, but the model also takes ${unknown.join(', ')}: give requests or arrays instead`,
      { param: 'inputs' },
    );
  }
  const limit = maxTokens ?? parsed.output.truncation?.max_length ?? DEFAULT_MAX_TOKENS;
  const encoder = new Tokenizer(parsed.output, {});
  return (text) => {
    const ids = cut(encoder.encode(text).ids, limit);
    const rows: Readonly<Record<string, readonly number[]>> = {
      input_ids: ids,
      attention_mask: ids.map(() => 1),
      token_type_ids: ids.map(() => 0),
    };
    return Object.fromEntries(inputNames.map((name) => [name, int64Row(rows[name] ?? [])]));
  };
}

/**
 * Parses a JSON file.
 *
 * @throws AppError `INVALID_PARAMETER` when it cannot be read or is not JSON.
 */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
    throw new AppError('INVALID_PARAMETER', `${path} ${reason}`, { cause });
  }
}
