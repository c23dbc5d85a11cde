import { describe, expect, it } from '@jest/globals';
import { errorFormOf, openAiError, problemBody, retryHeaders } from '../../../core/api/problem-body.ts';
import { AppError, ERRORS, type ErrorCode, type ErrorKind } from '../../../core/errors.ts';

const KINDS: readonly (readonly [string, ErrorKind])[] = Object.entries(ERRORS);

describe('problemBody', () => {
  const error = new AppError('INPUT_EMPTY', 'input is empty', { param: 'input' });

  it('holds the problem document in both forms', () => {
    for (const form of ['openai', 'open-inference'] as const) {
      expect(problemBody(error, form, 'request-1')).toMatchObject({
        type: 'urn:tensorgate:error:input-empty',
        status: 400,
        detail: 'input is empty',
        code: 'INPUT_EMPTY',
        param: 'input',
        requestId: 'request-1',
      });
    }
  });

  it('has a string as its error in the Open Inference Protocol, and an object elsewhere', () => {
    expect(problemBody(error, 'open-inference').error).toBe('input is empty');
    expect(problemBody(error, 'openai').error).toEqual(openAiError('INPUT_EMPTY', 'input is empty', 'input'));
  });

  it.each([
    ['/v2', 'open-inference'],
    ['/v2/models/minilm/infer', 'open-inference'],
    ['/v1/embeddings', 'openai'],
    ['/v20', 'openai'],
    ['/', 'openai'],
  ])('has, on the path %s, the form %s', (path, form) => {
    expect(errorFormOf(path)).toBe(form);
  });
});

describe('retryHeaders', () => {
  it('contain retry-after for every 429 and 503', () => {
    const codes = KINDS.filter(([, { status }]) => status === 429 || status === 503).map(([code]) => code as ErrorCode);
    expect(codes).toContain('UNAVAILABLE');
    for (const code of codes) expect(retryHeaders(code)['retry-after']).toMatch(/^[1-9]\d*$/);
  });

  it('keeps OpenAI clients from repeating a request that cannot succeed', () => {
    expect(retryHeaders('IDEMPOTENCY_CONFLICT')).toEqual({ 'x-should-retry': 'false' });
    expect(retryHeaders('FILE_NOT_READY')).toEqual({ 'retry-after': '2' });
    expect(retryHeaders('INVALID_BODY')).toEqual({});
  });
});

describe('openAiError', () => {
  it.each([
    ['INVALID_BODY', 'invalid_request_error'],
    ['UNAUTHORIZED', 'invalid_request_error'],
    ['FORBIDDEN', 'invalid_request_error'],
    ['RATE_LIMITED', 'rate_limit_error'],
    ['QUOTA_EXCEEDED', 'insufficient_quota'],
    ['INTERNAL', 'server_error'],
  ] as const)('maps %s to the type %s', (code, type) => {
    expect(openAiError(code, 'what was wrong')).toEqual({ message: 'what was wrong', type, param: null, code });
  });

  it('names the invalid member', () => {
    expect(openAiError('INPUT_EMPTY', 'empty', 'input[2]').param).toBe('input[2]');
  });

  it('maps every code to a type', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) expect(openAiError(code, '').type).toMatch(/^[a-z_]+$/);
  });
});
