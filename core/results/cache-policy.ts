/** Permissions of a request on the results cache. */
export interface CachePolicy {
  /** Whether the request may use a cached result. */
  readonly read: boolean;
  /** Whether the request may write its result to the cache. */
  readonly write: boolean;
}

/**
 * Reads a request's `Cache-Control` (RFC 9111 §5.2.1): `no-store` neither reads nor writes, `no-cache` computes again
 * and caches the results. Other directives change nothing.
 *
 * @param header - The header's value; undefined when there is none.
 */
export function readCacheControl(header: string | undefined): CachePolicy {
  if (header === undefined) return { read: true, write: true };
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase());
  const write = !directives.includes('no-store');
  return { read: write && !directives.includes('no-cache'), write };
}
