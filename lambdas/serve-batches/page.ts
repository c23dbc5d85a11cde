import { AppError } from '../../core/errors.ts';
import { type PageQuery, readPageQuery } from '../../core/files/list-query.ts';
import { type Call, queryOf } from './call.ts';

/** Syntax of ids. Other strings cannot be keys of the table. */
const ID = /^[A-Za-z0-9_-]{1,100}$/;

/**
 * Reads the requested page of a list.
 *
 * @param usual - Records on a page when it does not say.
 * @throws AppError `INVALID_PARAMETER`.
 */
export function pageOf(call: Call, usual?: number): PageQuery {
  const page = readPageQuery(queryOf(call), usual);
  if (page.after === undefined || ID.test(page.after)) return page;
  throw new AppError('INVALID_PARAMETER', 'after must be the id of the last one of the page before', {
    param: 'after',
  });
}
