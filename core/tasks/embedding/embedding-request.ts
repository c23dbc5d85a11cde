import { AppError } from '../../errors.ts';
import { describeValue } from '../../json/describe-value.ts';

/** One input of an embedding model: a text, or the token ids of one. */
export type TextItem =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] };

/** A request to an embedding model, in any protocol. */
export interface EmbeddingRequest {
  /** Member of the body that holds the inputs, for messages. */
  readonly param: string;
  /** Inputs in the caller's order; at least one. */
  readonly items: readonly TextItem[];
  /** Requested length of the vectors; undefined means all dimensions of the model. */
  readonly dimensions: number | undefined;
  /** Whether an input longer than the model accepts is cut instead of refused. */
  readonly truncate: boolean;
}

/** Bounds of an embedding request, from the manifest and the model. */
export interface EmbeddingLimits {
  /** Maximum number of inputs in one request. */
  readonly maxItems: number;
  /** Length of the model's vectors. */
  readonly dimensions: number;
  /** Number of token ids that the model knows, where token ids may be sent. */
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
 * Creates an item from a text.
 *
 * @throws AppError `INPUT_EMPTY` for the empty string.
 */
export function textItem(text: string, param: string): TextItem {
  if (text === '') throw new AppError('INPUT_EMPTY', `${param} is an empty string`, { param });
  return { kind: 'text', text };
}
