import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Router } from '../../core/api/router.ts';
import { MAX_CHUNK_BYTES, MAX_CHUNK_LINES, MAX_LINE_BYTES } from '../../core/batches/batch.ts';
import { isRequest, readLine } from '../../core/batches/batch-line.ts';
import { ERRORS } from '../../core/errors.ts';
import {
  FORM_FILE_BYTES,
  MAX_BATCH_REQUESTS,
  MAX_UPLOAD_PARTS,
  METADATA_LIMITS,
  PAGE,
} from '../../core/files/limits.ts';
import { DEFAULT_BUDGETS } from '../../core/identity/budgets.ts';
import { ROUTES } from '../../lambdas/serve-batches/routes.ts';

const GUIDE = readFileSync('docs/batches.md', 'utf8');

describe('docs/batches.md', () => {
  it('lists existing routes', () => {
    const router = new Router(ROUTES);
    const routes = [...GUIDE.matchAll(/`(GET|POST|DELETE) (\/v1\/[^`]+)`/g)];
    expect(routes.length).toBeGreaterThan(12);
    for (const [, method = '', path = ''] of routes) {
      expect(() => router.find(method, path.replace('{id}', 'id'))).not.toThrow();
    }
  });

  it('shows a line that is a request', () => {
    const [, line = ''] = /```json\n(.*)\n```/.exec(GUIDE) ?? [];
    expect(isRequest(readLine(line, 1, { endpoint: '/v1/embeddings', models: ['minilm'] }))).toBe(true);
  });

  it('names existing codes', () => {
    const codes = [...GUIDE.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(15);
    expect(codes.filter((code = '') => !Object.hasOwn(ERRORS, code) && !code.startsWith('API_'))).toEqual([]);
  });

  it.each([
    [`${MAX_CHUNK_LINES} lines and ${MAX_CHUNK_BYTES / 1024} KiB`],
    [`| ${MAX_LINE_BYTES / 1024 ** 2} MiB |`],
    [`| file in a form, one part of an upload | ${FORM_FILE_BYTES.toLocaleString('en-US')} bytes`],
    [`| ${MAX_UPLOAD_PARTS.toLocaleString('en-US')}, within an hour |`],
    [
      `${DEFAULT_BUDGETS.batchRequests.toLocaleString('en-US')} by default and at most ${MAX_BATCH_REQUESTS.toLocaleString('en-US')} |`,
    ],
    [`| records on a page | ${PAGE.most} |`],
    [
      `${METADATA_LIMITS.pairs} pairs, with keys of ${METADATA_LIMITS.keyCharacters} and values of ${METADATA_LIMITS.valueCharacters} characters`,
    ],
  ])('states the limit %s', (limit) => {
    expect(GUIDE).toContain(limit);
  });
});
