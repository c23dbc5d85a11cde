import { describeName } from '../describe-value.ts';
import { AppError } from '../errors.ts';

/** The query of a request in API Gateway's format; null if there is none. */
export type Query = Readonly<Record<string, string | undefined>> | null;

/**
 * Checks that a query has no other parameters than a route reads, so that a misspelled filter does not list everything.
 *
 * @throws AppError `INVALID_PARAMETER`.
 */
export function checkParameters(query: Query, known: readonly string[]): void {
  const unknown = Object.keys(query ?? {}).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const allowed = known.length === 0 ? 'the route has no query parameters' : `query parameters are ${known.join(', ')}`;
  throw new AppError('INVALID_PARAMETER', `${allowed}, got ${describeName(unknown)}`);
}

/**
 * Reads the maximum number of records on a page: decimal digits, as every list of this API takes them.
 *
 * @param max - The maximum that callers may request.
 * @param usual - The value if the parameter is absent.
 * @throws AppError `INVALID_PARAMETER`.
 */
export function readLimit(text: string | undefined, max: number, usual: number): number {
  if (text === undefined) return usual;
  const limit = Number(text);
  if (/^[1-9]\d{0,5}$/.test(text) && limit <= max) return limit;
  throw new AppError('INVALID_PARAMETER', `limit must be a whole number from 1 to ${max}`, { param: 'limit' });
}
