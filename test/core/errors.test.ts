import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { AppError, ERRORS, type ErrorCode, problem, problemType } from '../../core/errors.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** Rows of the tables in docs/errors.md: code, status, retryable. */
const DOCUMENTED = [
  ...readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').matchAll(
    /^\| <a id="([a-z_]+)"><\/a>`([A-Z_]+)` \| (\d{3}) \| (yes|no) \| \S.* \| \S.* \|$/gm,
  ),
].map(([, anchor, code, status, retryable]) => ({ anchor, code, status, retryable }));

describe('docs/errors.md', () => {
  it('holds every code, once, and no other', () => {
    expect(DOCUMENTED.map(({ code }) => code).sort()).toEqual([...CODES].sort());
  });

  it.each(CODES)('states the status of %s and whether to try again', (code) => {
    const row = DOCUMENTED.find((documented) => documented.code === code);
    const { status, retryable } = ERRORS[code];
    expect(row?.status).toBe(String(status));
    expect(row?.retryable).toBe(retryable ? 'yes' : 'no');
  });

  it.each(CODES)('has an anchor that is the code of %s in lower case, and a name for its type', (code) => {
    expect(DOCUMENTED.find((documented) => documented.code === code)?.anchor).toBe(code.toLowerCase());
    expect(new URL(problemType(code)).pathname).toBe(`tensorgate:error:${code.toLowerCase().replaceAll('_', '-')}`);
  });
});

describe('ERRORS', () => {
  it.each(CODES)('maps %s to an error status and a title', (code) => {
    const { status, title } = ERRORS[code];
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
  });
});

describe('AppError', () => {
  it('carries code, status, message, member and cause', () => {
    const cause = new Error('deep');
    const error = new AppError('TOO_MANY_ITEMS', 'input holds 4 items', { param: 'input', cause });
    expect(error).toMatchObject({
      name: 'AppError',
      code: 'TOO_MANY_ITEMS',
      status: 400,
      message: 'input holds 4 items',
      param: 'input',
      cause,
    });
    expect(error).toBeInstanceOf(Error);
  });

  it('cuts a message and the name of a member that are too long, between two characters', () => {
    const error = new AppError('INVALID_BODY', `${'a'.repeat(3998)}${'😀'.repeat(9)}`, { param: 'b'.repeat(5000) });
    expect(error.message).toHaveLength(4000);
    expect(error.message.isWellFormed()).toBe(true);
    expect(error.param).toHaveLength(200);
  });

  it('accepts no member and no cause', () => {
    const { param, dependency, cause } = new AppError('INTERNAL', 'unexpected failure');
    expect([param, dependency, cause]).toEqual([undefined, undefined, undefined]);
  });

  it('prints its code and nothing that is undefined', () => {
    const printed = inspect(new AppError('CONFIG_INVALID', 'dev.yaml has 1 problem'));
    expect(printed).toMatch(/^AppError: dev\.yaml has 1 problem\n.*\{\n {2}code: 'CONFIG_INVALID'\n\}$/s);
    expect(printed).not.toContain('undefined');
  });
});

describe('problem', () => {
  it('is a problem document with the stable code', () => {
    expect(problem('RATE_LIMITED', 'slow down', { param: 'input', requestId: 'r-1' })).toEqual({
      type: 'urn:tensorgate:error:rate-limited',
      title: 'Too many requests',
      status: 429,
      detail: 'slow down',
      code: 'RATE_LIMITED',
      param: 'input',
      requestId: 'r-1',
    });
  });

  it('omits unknown members', () => {
    const document = JSON.stringify(problem('INTERNAL', 'unexpected failure', { param: undefined }));
    expect(Object.keys(JSON.parse(document))).toEqual(['type', 'title', 'status', 'detail', 'code']);
  });
});
