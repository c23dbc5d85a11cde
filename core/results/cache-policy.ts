/** What a request lets the results cache do. */
export interface CachePolicy {
  /** Whether a kept result may answer. */
  readonly read: boolean;
  /** Whether the result may be kept. */
  readonly write: boolean;
}

/**
 * Reads a request's `Cache-Control` (RFC 9111 §5.2.1): `no-store` neither reads nor keeps, `no-cache` computes anew and
 * keeps; other directives change nothing.
 *
 * @param header - The header's value; undefined when there is none.
 */
export function readCacheControl(header: string | undefined): CachePolicy {
  if (header === undefined) return { read: true, write: true };
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase());
  const write = !directives.includes('no-store');
  return { read: write && !directives.includes('no-cache'), write };
}
