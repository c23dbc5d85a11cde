import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { allowedMethods, modelRoutes, SHARED_ROUTES } from '../../../core/api/routes.ts';

const ROUTES = [...SHARED_ROUTES, ...modelRoutes('minilm')];

describe('the route table', () => {
  it('holds every method and path once', () => {
    const keys = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('serves GET documents from the gateway and everything else from a function', () => {
    expect(ROUTES.filter(({ answeredBy }) => answeredBy === 'document').every(({ method }) => method !== 'POST')).toBe(
      true,
    );
    expect(ROUTES.filter(({ method }) => method === 'POST').every(({ answeredBy }) => answeredBy === 'function')).toBe(
      true,
    );
  });

  it('requires a key for every route except health routes', () => {
    expect(ROUTES.filter(({ access }) => access === 'open').map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /v2/health/live',
      'HEAD /v2/health/live',
      'GET /v2/health/ready',
      'HEAD /v2/health/ready',
    ]);
  });

  it('names the methods of a path', () => {
    expect(allowedMethods(ROUTES, '/v1/embeddings')).toEqual(['POST']);
    expect(allowedMethods(ROUTES, '/nowhere')).toEqual([]);
  });
});

describe('docs/api.md', () => {
  it('lists every route and no other', () => {
    const reference = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
    const rows = reference.split('\n').filter((line) => /^\| `(GET|HEAD|POST) \//.test(line));
    const listed = rows.flatMap((row) =>
      Array.from(row.matchAll(/`((?:GET|HEAD|POST) \/[^`]*)`/g), ([, route]) => route),
    );
    const routes = [...SHARED_ROUTES, ...modelRoutes('{id}')].map(({ method, path }) => `${method} ${path}`);
    expect(listed.sort()).toEqual(routes.sort());
  });

  it('holds JSON that parses', () => {
    const reference = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
    const blocks = Array.from(reference.matchAll(/```json(?: \w+)?\n([^`]*)```/g), ([, block]) => block ?? '');
    expect(blocks.length).toBeGreaterThan(3);
    // `…` stands for the rest of a vector.
    for (const block of blocks) expect(() => JSON.parse(block.replaceAll('…', '"…"'))).not.toThrow();
  });
});
