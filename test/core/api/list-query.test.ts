import { expect, test } from '@jest/globals';
import { checkParameters, readLimit } from '../../../core/api/list-query.ts';

test.each(['0', '-1', '0x10', '1e2', ' 10', '10 ', '+1', '1.0', '', '01', '101', '9'.repeat(400)])(
  'the limit %j of a page is refused',
  (text) => {
    expect(() => readLimit(text, 100, 20)).toThrow('limit must be a whole number from 1 to 100');
  },
);

test('a limit from 1 to the maximum is read, and its absence is the usual limit', () => {
  expect([readLimit('1', 100, 20), readLimit('100', 100, 20), readLimit(undefined, 100, 20)]).toEqual([1, 100, 20]);
});

test('a parameter that a list does not have is refused without its name', () => {
  expect(() => checkParameters({ limit: '1', secret: '1' }, ['limit', 'after'])).toThrow(
    'query parameters are limit, after, got a name of 6 characters',
  );
  expect(() => checkParameters({ a: '1' }, [])).toThrow(
    'the route has no query parameters, got a name of 1 characters',
  );
  expect(() => checkParameters({ limit: '1' }, ['limit'])).not.toThrow();
  expect(() => checkParameters(null, [])).not.toThrow();
});
