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
