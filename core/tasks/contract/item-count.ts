import { AppError } from '../../errors.ts';

/**
 * Checks the number of items in a request.
 *
 * @throws AppError `INPUT_EMPTY` for none, `TOO_MANY_ITEMS` for more than allowed.
 */
export function checkItemCount(count: number, maxItems: number, param: string): void {
  if (count === 0) throw new AppError('INPUT_EMPTY', `${param} is empty, at least one item is needed`, { param });
  if (count > maxItems) {
    throw new AppError('TOO_MANY_ITEMS', `${param} holds ${count} items, at most ${maxItems} are allowed`, { param });
  }
}

/** The bounds of the results of a request. */
export interface ResultBounds {
  /** Maximum bytes of all results. */
  readonly maxBytes: number;
  /** Member of the request that holds the items, for the error. */
  readonly param: string;
  /** A form of the response that takes less, and its bytes for each item. */
  readonly advice?: { readonly text: string; readonly itemBytes: number } | undefined;
}

/**
 * Checks that the results of a request fit into one response.
 *
 * @param count - Number of items.
 * @param itemBytes - Bytes that each result needs at least.
 * @throws AppError `TOO_MANY_ITEMS` that says how many fit.
 */
export function checkResultCount(count: number, itemBytes: number, { maxBytes, param, advice }: ResultBounds): void {
  // A single result that is too large has nothing to do with the number of items: writing it fails.
  if (count * itemBytes <= maxBytes || itemBytes > maxBytes) return;
  const fitting = `at most ${Math.floor(maxBytes / itemBytes)} inputs fit into one response of ${maxBytes} bytes`;
  const other = advice === undefined ? '' : `, or ${fittingOf(count, maxBytes / advice.itemBytes)} with ${advice.text}`;
  throw new AppError('TOO_MANY_ITEMS', `${param} holds ${count} items, ${fitting}${other}`, { param });
}

function fittingOf(count: number, most: number): string {
  return most < count ? String(Math.floor(most)) : `all ${count}`;
}
