import { describe, expect, it } from '@jest/globals';
import { cachePolicyOf, readCacheControl } from '../../../core/results/cache-policy.ts';

describe('readCacheControl', () => {
  it.each([
    [undefined, true, true],
    ['', true, true],
    ['max-age=0', true, true],
    ['no-cache', false, true],
    ['No-Cache', false, true],
    ['no-store', false, false],
    ['no-cache, no-store', false, false],
    ['max-age=60,NO-STORE', false, false],
    ['no-cached', true, true],
  ])('reads %j as read %s and write %s', (header, read, write) => {
    expect(cachePolicyOf(readCacheControl(header))).toEqual({ read, write });
  });
});
