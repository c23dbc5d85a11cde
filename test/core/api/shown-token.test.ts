import { describe, expect, test } from '@jest/globals';
import { shownToken } from '../../../core/api/shown-token.ts';

describe('shownToken', () => {
  test.each(['application/x-www-form-urlencoded', 'application/vnd.api+json', 'zstd', 'limit'])('shows %s', (value) => {
    expect(shownToken(value)).toBe(value);
  });

  test.each(['my secret text', '"secret"', '', 'x'.repeat(81)])('does not show %j, which may be text', (value) => {
    expect(shownToken(value)).toBe('something else');
  });
});
