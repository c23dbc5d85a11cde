import { AppError } from '../errors.ts';

/** Sort keys of the index that lists the records of an owner: `jobsTableKeys.listSort`. */
const LIST_SORT = /^\d{15}\/([A-Za-z0-9_-]{1,64})$/;

/** Turns the sort key of the last item of a page into the opaque start of the next page. */
export function encodeCursor(listSort: string): string {
  return btoa(listSort).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Reads the start of a page back. It holds no owner, so a caller who presents it sees only their own items.
 *
 * @returns The sort key, and the id in it.
 * @throws AppError `INVALID_PARAMETER` when {@link encodeCursor} did not write it.
 */
export function decodeCursor(cursor: string, param = 'after'): { readonly listSort: string; readonly id: string } {
  const listSort = fromBase64Url(cursor);
  const id = LIST_SORT.exec(listSort)?.[1];
  if (id === undefined || encodeCursor(listSort) !== cursor) {
    throw new AppError('INVALID_PARAMETER', `${param} must be the next_after of an earlier page`, { param });
  }
  return { listSort, id };
}

function fromBase64Url(text: string): string {
  try {
    return atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return '';
  }
}
