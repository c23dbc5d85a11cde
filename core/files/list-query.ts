import { readLimit } from '../api/list-query.ts';
import { AppError } from '../errors.ts';
import { PAGE } from './limits.ts';

/** The query of a list as the gateway gives it. */
export type QueryParameters = Readonly<Record<string, string | undefined>>;

/** The requested page of a list. */
export interface PageQuery {
  readonly limit: number;
  readonly after?: string;
}

/**
 * Reads which page of a list is requested. If the limit exceeds the maximum of a page, the response has fewer records
 * and `has_more`.
 *
 * @throws AppError `INVALID_PARAMETER`.
 */
export function readPageQuery({ limit, after }: QueryParameters, usual: number = PAGE.usual): PageQuery {
  const asked = readLimit(limit, PAGE.asked, usual);
  return { limit: Math.min(asked, PAGE.most), ...(after === undefined || after === '' ? {} : { after }) };
}

/**
 * Reads the order of a list.
 *
 * @throws AppError `INVALID_PARAMETER` when it is neither `asc` nor `desc`.
 */
export function readOrder({ order = 'desc' }: QueryParameters): 'asc' | 'desc' {
  if (order === 'asc' || order === 'desc') return order;
  throw new AppError('INVALID_PARAMETER', 'order must be asc or desc', { param: 'order' });
}

/** Shows a page as OpenAI's API does. */
export function openAiList<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) {
  const first_id = data[0]?.id ?? null;
  return { object: 'list', data, first_id, last_id: data.at(-1)?.id ?? null, has_more: hasMore } as const;
}
