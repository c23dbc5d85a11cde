import { AppError } from '../../errors.ts';
import { describeValue } from '../../json/describe-value.ts';

/** One input of an embedding model: a text, or the token ids of one. */
export type TextItem =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] };

/** What a caller asks of an embedding model, whatever the protocol. */
export interface EmbeddingRequest {
  /** Inputs in the caller's order; at least one. */
  readonly items: readonly TextItem[];
  /** Length of the vectors wanted; undefined means all dimensions the model has. */
  readonly dimensions: number | undefined;
  /** Whether an input longer than the model accepts is cut instead of refused. */
  readonly truncate: boolean;
}

/** Bounds of an embedding request, from the manifest and the model. */
export interface EmbeddingLimits {
  /** Most inputs in one request. */
  readonly maxItems: number;
  /** Length of the model's vectors. */
  readonly dimensions: number;
  /** How many token ids the model knows, where token ids may be sent. */
  readonly vocabularySize?: number;
}

/**
 * Reads the member `dimensions`.
 *
 * @throws AppError `INVALID_PARAMETER` when it is not a whole number from 1 to the model's dimensions.
 */
export function readDimensions(value: unknown, limits: EmbeddingLimits, param = 'dimensions'): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= limits.dimensions) return value;
  throw new AppError(
    'INVALID_PARAMETER',
    `${param} must be a whole number from 1 to ${limits.dimensions}, got ${describeValue(value)}`,
    { param },
  );
}

/**
 * Reads the member `truncate`.
 *
 * @throws AppError `INVALID_PARAMETER` when it is neither true nor false.
 */
export function readTruncate(value: unknown, param = 'truncate'): boolean {
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw new AppError('INVALID_PARAMETER', `${param} must be true or false, got ${describeValue(value)}`, { param });
}

/**
 * Checks how many inputs a request holds.
 *
 * @throws AppError `INPUT_EMPTY` for none, `TOO_MANY_ITEMS` for more than allowed.
 */
export function checkItemCount(count: number, maxItems: number, param: string): void {
  if (count === 0) throw new AppError('INPUT_EMPTY', `${param} is empty, at least one item is needed`, { param });
  if (count > maxItems) {
    throw new AppError('TOO_MANY_ITEMS', `${param} holds ${count} items, at most ${maxItems} are allowed`, { param });
  }
}

/**
 * Makes an item of a text.
 *
 * @throws AppError `INPUT_EMPTY` for the empty string.
 */
export function textItem(text: string, param: string): TextItem {
  if (text === '') throw new AppError('INPUT_EMPTY', `${param} is an empty string`, { param });
  return { kind: 'text', text };
}
