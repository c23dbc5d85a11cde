import { AppError } from '../errors.ts';
import { jsonOrUndefined } from '../json/json.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { ContainerMessage } from './container-message.ts';

/** Name of the container's output, as exports of Sentence Transformers call it. */
export const SENTENCE_EMBEDDING = 'sentence_embedding';

/**
 * Writes a request to Text Embeddings Inference: token ids of each text in, pooled vectors out.
 *
 * @param inputs - `input_ids` and `attention_mask`, padded on the right, as text encoders take them.
 * @see https://github.com/huggingface/text-embeddings-inference/blob/main/router/src/http/types.rs `EmbedRequest`
 */
export function encodeTeiRequest(inputs: Readonly<Record<string, Tensor>>): ContainerMessage {
  const { input_ids: ids, attention_mask: mask } = inputs;
  const [items = 0, width = 0] = ids?.shape ?? [];
  const rows = Array.from({ length: items }, (_, item) => {
    const row: number[] = [];
    for (let at = item * width; at < (item + 1) * width; at++) {
      if (Number(mask?.data[at]) === 1) row.push(Number(ids?.data[at]));
    }
    return row;
  });
  const body = { inputs: rows, normalize: false, truncate: false };
  return { contentType: 'application/json', body: new TextEncoder().encode(JSON.stringify(body)) };
}

/**
 * Reads the response to {@link encodeTeiRequest}.
 *
 * @returns One tensor of a vector for each text.
 * @throws AppError `BAD_GATEWAY` when it is not one.
 */
export function decodeTeiAnswer(body: Uint8Array): Record<string, Tensor> {
  const rows = jsonOrUndefined(new TextDecoder().decode(body));
  if (!Array.isArray(rows) || !rows.every(isVector)) throw broken('it is not a list of vectors');
  const width = rows[0]?.length ?? 0;
  if (rows.some(({ length }) => length !== width)) throw broken('its vectors have different lengths');
  const data = new Float32Array(rows.length * width);
  for (const [row, vector] of rows.entries()) data.set(vector, row * width);
  return { [SENTENCE_EMBEDDING]: { datatype: 'FP32', shape: [rows.length, width], data } };
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'number');
}

function broken(why: string): AppError {
  return new AppError('BAD_GATEWAY', `the model's endpoint gave an answer that cannot be read: ${why}`);
}
