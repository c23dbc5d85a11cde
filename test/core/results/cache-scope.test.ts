import { describe, expect, it } from '@jest/globals';
import { CACHE_SCOPES, cacheKeyPrefix } from '../../../core/results/cache-scope.ts';

const CALLERS = [
  { tenant: 'a', plan: 'free' },
  { tenant: 'b', plan: 'free' },
  { tenant: 'free', plan: 'a' },
  { tenant: 'a' },
  {},
];

describe('cacheKeyPrefix', () => {
  it('is that of the tenant unless the deployment shares results more widely', () => {
    expect(cacheKeyPrefix(undefined, CALLERS[0])).toBe('tenant/a/');
    expect(cacheKeyPrefix('tenant', CALLERS[0])).toBe('tenant/a/');
    expect(cacheKeyPrefix()).toBe('tenant//');
  });

  it('is the same for callers who share results, and for no others', () => {
    expect(CACHE_SCOPES.map((scope) => CALLERS.map((caller) => cacheKeyPrefix(scope, caller)))).toEqual([
      ['tenant/a/', 'tenant/b/', 'tenant/free/', 'tenant/a/', 'tenant//'],
      ['plan/free/', 'plan/free/', 'plan/a/', 'plan//', 'plan//'],
      ['', '', '', '', ''],
    ]);
  });
});
