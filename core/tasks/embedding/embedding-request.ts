import { describeNumber, describeValue } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';

/** One input of an embedding model: a text, or the token ids of one. */
export type TextItem =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] };

/** The end of an input that is cut off if the input is too long; `none` refuses the input. */
export type Truncation = 'none' | 'start' | 'end';

/** A request to an embedding model, in any protocol. */
export interface EmbeddingRequest {
  /** Member of the body that holds the inputs, for messages. */
  readonly param: string;
  /** Inputs in the caller's order; at least one. */
  readonly items: readonly TextItem[];
  /** Requested length of the vectors; undefined means all dimensions of the model. */
  readonly dimensions: number | undefined;
  /** The treatment of an input that is longer than the model accepts. */
  readonly truncation: Truncation;
}

/** Bounds of an embedding request, from the manifest and the model. */
export interface EmbeddingLimits {
  /** Maximum number of inputs in one request. */
  readonly maxItems: number;
  /** Length of the model's vectors. */
  readonly dimensions: number;
  /** Shorter lengths that the model was trained for: all of them, or these. Absent if there are none. */
  readonly matryoshka?: true | readonly number[] | undefined;
  /** Number of token ids that the model knows; absent unless callers may send token ids. */
  readonly vocabularySize?: number | undefined;
  /** The treatment of an input that is too long, unless the request states it. */
  readonly truncation: Truncation;
}

/**
 * Reads the member `dimensions`.
 *
 * A model that was not trained for shorter vectors would return vectors that look right and are not.
 *
 * @throws AppError `INVALID_PARAMETER` when the model was not trained for vectors of this length.
 */
export function readDimensions(value: unknown, limits: EmbeddingLimits, param = 'dimensions'): number | undefined {
  const { dimensions, matryoshka = [] } = limits;
  if (value === undefined) return undefined;
  if (value === dimensions) return dimensions;
  const isTrained = typeof value === 'number' && (matryoshka === true || matryoshka.includes(value));
  if (isTrained && Number.isInteger(value) && value >= 1 && value <= dimensions) return value;
  throw new AppError(
    'INVALID_PARAMETER',
    `${param} must be ${allowedDimensions(dimensions, matryoshka)}, got ${describeNumber(value)}`,
    { param },
  );
}

function allowedDimensions(dimensions: number, matryoshka: true | readonly number[]): string {
  if (matryoshka === true) return `a whole number from 1 to ${dimensions}`;
  if (matryoshka.length > 0) return `one of ${[...new Set([...matryoshka, dimensions])].join(', ')}`;
  return `absent or ${dimensions}, because the model was not trained for shorter vectors`;
}

/** Values of the member `truncate`: booleans, and the words of Cohere's API. */
const TRUNCATIONS = new Map<unknown, Truncation>([
  [true, 'end'],
  [false, 'none'],
  ['NONE', 'none'],
  ['START', 'start'],
  ['END', 'end'],
]);

/**
 * Reads the member `truncate`.
 *
 * @throws AppError `INVALID_PARAMETER` when it is neither a boolean nor one of the words of Cohere's API.
 */
export function readTruncation(
  value: unknown,
  limits: Pick<EmbeddingLimits, 'truncation'>,
  param = 'truncate',
): Truncation {
  if (value === undefined) return limits.truncation;
  const truncation = TRUNCATIONS.get(value);
  if (truncation !== undefined) return truncation;
  throw new AppError(
    'INVALID_PARAMETER',
    `${param} must be true, false, NONE, START or END, got ${describeValue(value)}`,
    { param },
  );
}

/**
 * Creates an item from a text.
 *
 * @throws AppError `INPUT_EMPTY` for the empty string, `INVALID_BODY` for a string that is not valid Unicode.
 */
export function textItem(text: string, param: string): TextItem {
  if (text === '') throw new AppError('INPUT_EMPTY', `${param} is an empty string`, { param });
  if (text.isWellFormed()) return { kind: 'text', text };
  throw new AppError('INVALID_BODY', `${param} contains half of a surrogate pair, which is not a character`, { param });
}
