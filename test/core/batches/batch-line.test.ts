import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { errorLine, isRequest, outputLine, readLine, readLines } from '../../../core/batches/batch-line.ts';
import { AppError } from '../../../core/errors.ts';

const RULES = { endpoint: '/v1/embeddings', models: ['minilm', 'text-embedding-3-small'] };

/** The text of a line that is a request, but for what a test says. */
function request(changes: Readonly<Record<string, unknown>> = {}): string {
  const body = { model: 'minilm', input: 'a text' };
  return JSON.stringify({ custom_id: 'one', method: 'POST', url: '/v1/embeddings', body, ...changes });
}

/** Returns the error of a line. */
function wrongWith(text: string, rules = RULES) {
  const read = readLine(text, 7, rules);
  if (isRequest(read)) throw new Error('the line is a request');
  return { customId: read.customId, code: read.error.code, message: read.error.message, param: read.error.param };
}

describe('readLine', () => {
  it('reads a request', () => {
    const body = { model: 'minilm', input: 'a text' };
    expect(readLine(request(), 7, RULES)).toEqual({ line: 7, customId: 'one', body });
  });

  it('reads a request that names the model by an alias', () => {
    const body = { model: 'text-embedding-3-small', input: 'a text' };
    expect(isRequest(readLine(request({ body }), 7, RULES))).toBe(true);
  });

  it('keeps integers beyond 2^53 exact', () => {
    const rules = { endpoint: '/v1/models/sums:predict', models: ['sums'] };
    const text = `{"custom_id":"a","method":"POST","url":"${rules.endpoint}","body":{"instances":[9007199254740993]}}`;
    expect(readLine(text, 1, rules)).toMatchObject({ body: { instances: [9_007_199_254_740_993n] } });
  });

  it('leaves the model to the protocol if the path names it', () => {
    const rules = { endpoint: '/v1/models/sums:predict', models: ['sums'] };
    expect(isRequest(readLine(request({ url: rules.endpoint }), 1, rules))).toBe(true);
  });

  it.each([
    ['no JSON', '{"custom_id":', null, 'the line is not valid JSON: the text ends too early', undefined],
    ['a list', '[]', null, 'the line must be a JSON object with custom_id, method, url, body', undefined],
    ['null', 'null', null, 'the line must be a JSON object with custom_id, method, url, body', undefined],
    [
      'no id',
      request({ custom_id: undefined }),
      null,
      'the line must have a custom_id of 1 to 512 characters',
      'custom_id',
    ],
    [
      'an empty id',
      request({ custom_id: '' }),
      null,
      'the line must have a custom_id of 1 to 512 characters',
      'custom_id',
    ],
    [
      'a number as id',
      request({ custom_id: 7 }),
      null,
      'the line must have a custom_id of 1 to 512 characters',
      'custom_id',
    ],
    ['another method', request({ method: 'GET' }), 'one', 'the line must have the method POST', 'method'],
    [
      'another url',
      request({ url: '/v1/chat' }),
      'one',
      'the line must have the url of the batch, /v1/embeddings',
      'url',
    ],
    ['a text as body', request({ body: 'x' }), 'one', 'the line must have a body that is a JSON object', 'body'],
    ['no body', request({ body: undefined }), 'one', 'the line must have a body that is a JSON object', 'body'],
  ])('fails with INVALID_LINE when the line is or has %s', (_, text, customId, message, param) => {
    expect(wrongWith(text)).toEqual({ customId, code: 'INVALID_LINE', message, param });
  });

  it('fails with MODEL_NOT_FOUND when the body names another model than the batch', () => {
    expect(wrongWith(request({ body: { model: 'other', input: 'x' } }))).toEqual({
      customId: 'one',
      code: 'MODEL_NOT_FOUND',
      message: 'the model must be that of the batch, minilm',
      param: 'body.model',
    });
  });

  it('never quotes the line', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (secret) => {
        const text = JSON.stringify({ custom_id: 'a', [`s3cret${secret}`]: `s3cret${secret}` });
        expect(wrongWith(text).message).not.toContain('s3cret');
      }),
    );
  });
});

describe('readLines', () => {
  it('counts from the first line of the chunk, blank lines included', () => {
    const bytes = Buffer.from(`${request()}\r\n\n \t\r\n${request({ custom_id: 'two' })}`);
    expect(readLines(bytes, 40, RULES)).toMatchObject([
      { line: 40, customId: 'one' },
      { line: 43, customId: 'two' },
    ]);
  });

  it('treats a line of white space that JSON does not allow as a broken request', () => {
    expect(readLines(Buffer.from('\u00a0\n\u3000'), 1, RULES)).toMatchObject([
      { line: 1, error: { code: 'INVALID_LINE' } },
      { line: 2, error: { code: 'INVALID_LINE' } },
    ]);
  });

  it('refuses a line that is not UTF-8, and reads its neighbours', () => {
    const bytes = Buffer.concat([
      Buffer.from(`${request()}\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(request({ custom_id: 'three' })),
    ]);
    expect(readLines(bytes, 1, RULES)).toMatchObject([
      { line: 1, customId: 'one' },
      { line: 2, customId: null, error: { code: 'INVALID_LINE', message: 'the line is not UTF-8' } },
      { line: 3, customId: 'three' },
    ]);
  });

  it('finds no lines in an empty chunk', () => {
    expect(readLines(new Uint8Array(), 1, RULES)).toEqual([]);
  });
});

describe('outputLine', () => {
  it("writes a line in OpenAI's format with the response byte for byte", () => {
    const key = { line: 3, customId: 'a "quoted" id' };
    const line = outputLine('batch_abc', key, '{"big":9007199254740993}');
    expect(line).toBe(
      '{"id":"batch_req_abc_3","custom_id":"a \\"quoted\\" id","response":{"status_code":200,"request_id":"batch_req_abc_3","body":{"big":9007199254740993}},"error":null}',
    );
  });

  it('writes one line for any id', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (customId) => {
        const line = outputLine('batch_a', { line: 1, customId }, '{}');
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line)).toMatchObject({ custom_id: customId });
      }),
    );
  });
});

describe('errorLine', () => {
  it('writes a response of the model with its status', () => {
    const error = new AppError('TOO_MANY_TOKENS', 'item 0 has too many tokens', { param: 'input' });
    expect(JSON.parse(errorLine('batch_abc', { line: 3, customId: 'one' }, error))).toEqual({
      id: 'batch_req_abc_3',
      custom_id: 'one',
      response: {
        status_code: 400,
        request_id: 'batch_req_abc_3',
        body: {
          error: {
            message: 'item 0 has too many tokens',
            type: 'invalid_request_error',
            param: 'input',
            code: 'TOO_MANY_TOKENS',
          },
        },
      },
      error: null,
    });
  });

  it.each(['INVALID_LINE', 'BATCH_CANCELED', 'BATCH_EXPIRED', 'WORKER_LOST'] as const)(
    'writes %s without a response, because the line never ran',
    (code) => {
      const line = errorLine('batch_abc', { line: 3, customId: null }, new AppError(code, 'never ran'));
      expect(JSON.parse(line)).toEqual({
        id: 'batch_req_abc_3',
        custom_id: null,
        response: null,
        error: { code, message: 'never ran', param: null, line: 3 },
      });
    },
  );
});
