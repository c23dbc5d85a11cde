import { AppError } from '../../../core/errors.ts';
import type { EmbeddingRequest, TextItem } from '../../../core/tasks/embedding/embedding-request.ts';
import type { Call, TextInferenceDeps } from './inference.ts';

/** A request for embeddings with its texts turned into tokens. */
export interface TokenizedRequest {
  /** Token ids of each input, special tokens included. */
  readonly rows: readonly (readonly number[])[];
  /** Tokens of all inputs. */
  readonly tokens: number;
  /** Length of the vectors wanted; undefined means all dimensions. */
  readonly dimensions: number | undefined;
}

/**
 * Turns the inputs of a request into tokens.
 *
 * @param param - Member of the request that holds the inputs, for messages.
 * @throws AppError `TOO_MANY_TOKENS` when an input is too long and may not be cut.
 */
export function tokenize(
  request: EmbeddingRequest,
  param: string,
  { measures }: Call,
  deps: TextInferenceDeps,
): TokenizedRequest {
  const startedMs = deps.timer();
  const rows = request.items.map((item, index) => tokensOf(item, index, request, param, deps));
  measures.tokenizeMs += deps.timer() - startedMs;
  measures.items += rows.length;
  const tokens = rows.reduce((sum, ids) => sum + ids.length, 0);
  measures.tokens += tokens;
  return { rows, tokens, dimensions: request.dimensions };
}

function tokensOf(
  item: TextItem,
  index: number,
  { truncate }: EmbeddingRequest,
  param: string,
  { tokenizer, packed }: TextInferenceDeps,
): readonly number[] {
  const ids = item.kind === 'text' ? tokenizer.encode(item.text) : tokenizer.wrap(item.ids);
  const { maxTokens } = packed.manifest.limits;
  if (ids.length <= maxTokens) return ids;
  if (truncate) return tokenizer.truncate(ids, maxTokens);
  throw new AppError(
    'TOO_MANY_TOKENS',
    `item ${index} has ${ids.length} tokens, at most ${maxTokens} are allowed; set truncate to true to have it cut`,
    { param },
  );
}
