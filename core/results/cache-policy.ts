/** Permissions of a request on the results cache. */
export interface CachePolicy {
  /** Whether the request may use a cached result. */
  readonly read: boolean;
  /** Whether the request may write its result to the cache. */
  readonly write: boolean;
}

/** How a request, job or batch may use the cache (RFC 9111 §5.2.1). */
export const CACHE_CONTROLS = ['no-cache', 'no-store'] as const;

/** One of {@link CACHE_CONTROLS}. */
export type CacheControl = (typeof CACHE_CONTROLS)[number];

/** Returns the policy of work whose caller says this about the cache. */
export function cachePolicyOf(control: CacheControl | undefined): CachePolicy {
  return { read: control === undefined, write: control !== 'no-store' };
}

/**
 * Reads a request's `Cache-Control` (RFC 9111 §5.2.1): `no-store` neither reads nor writes, `no-cache` computes again
 * and caches the results. Other directives change nothing.
 *
 * @param header - The header's value; undefined when there is none.
 */
export function readCacheControl(header: string | undefined): CacheControl | undefined {
  const directives = header?.split(',').map((directive) => directive.trim().toLowerCase()) ?? [];
  if (directives.includes('no-store')) return 'no-store';
  return directives.includes('no-cache') ? 'no-cache' : undefined;
}
