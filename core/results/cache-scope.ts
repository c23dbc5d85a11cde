/** Callers who share cached results, from few to all. */
export const CACHE_SCOPES = ['tenant', 'plan', 'deployment'] as const;

/** One of {@link CACHE_SCOPES}. */
export type CacheScope = (typeof CACHE_SCOPES)[number];

/** The scope if the deployment names none: a response does not show what another tenant has asked. */
export const DEFAULT_CACHE_SCOPE: CacheScope = 'tenant';

/**
 * Returns the beginning of the keys of cached results in the memory of an environment, in the results table and in claims. It
 * ends with a slash, which no id and no fingerprint holds, so that all results of a tenant can be found.
 *
 * @param caller - Tenant and plan; nothing for a request that API Gateway did not admit.
 * @returns Empty where all callers share their results.
 */
export function cacheKeyPrefix(
  scope: CacheScope = DEFAULT_CACHE_SCOPE,
  { tenant = '', plan = '' }: { readonly tenant?: string | undefined; readonly plan?: string | undefined } = {},
): string {
  if (scope === 'deployment') return '';
  return scope === 'plan' ? `plan/${plan}/` : `tenant/${tenant}/`;
}
