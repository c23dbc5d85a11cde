import { describe, expect, it } from '@jest/globals';
import { Router } from '../../../core/api/router.ts';

const ROUTER = new Router([
  { method: 'GET', path: '/v1/things', name: 'list' },
  { method: 'POST', path: '/v1/things', name: 'create' },
  { method: 'DELETE', path: '/v1/things/{id}', name: 'delete', parameters: /^[\w-]+$/ },
  { method: 'GET', path: '/v1/things/secret', name: 'secret' },
  { method: 'POST', path: '/v1/things/{id}/parts/{part}', name: 'part' },
]);

function find(method: string, path: string) {
  const { route, params } = ROUTER.find(method, path);
  return [route.name, params];
}

describe('Router', () => {
  it('finds a literal path and its method', () => {
    expect(find('POST', '/v1/things')).toEqual(['create', {}]);
  });

  it('finds a template, and names the segments that it leaves open', () => {
    expect(find('DELETE', '/v1/things/a-1')).toEqual(['delete', { id: 'a-1' }]);
    expect(find('POST', '/v1/things/a b/parts/7')).toEqual(['part', { id: 'a b', part: '7' }]);
  });

  it('prefers a literal path to a template', () => {
    expect(find('GET', '/v1/things/secret')).toEqual(['secret', {}]);
    expect(ROUTER.allowedMethods('/v1/things/secret')).toBe('GET');
  });

  it.each([
    ['a path of no route', 'GET', '/v1/other'],
    ['an empty segment', 'DELETE', '/v1/things/'],
    ['a segment that its pattern excludes', 'DELETE', '/v1/things/a b'],
    ['a longer path', 'DELETE', '/v1/things/a/b'],
    ['a trailing slash', 'GET', '/v1/things/secret/'],
  ])('fails with ROUTE_NOT_FOUND for %s', (_, method, path) => {
    expect(() => ROUTER.find(method, path)).toThrow(expect.objectContaining({ code: 'ROUTE_NOT_FOUND' }));
    expect(ROUTER.allowedMethods(path)).toBe('');
  });

  it('fails with METHOD_NOT_ALLOWED if the path has other methods, and lists them', () => {
    expect(() => ROUTER.find('PUT', '/v1/things')).toThrow(
      expect.objectContaining({ code: 'METHOD_NOT_ALLOWED', message: 'the route accepts GET, POST only' }),
    );
    expect(ROUTER.allowedMethods('/v1/things')).toBe('GET, POST');
  });
});
