import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { binaryEvent, gatewayEvent, getEvent, postEvent } from '../events.ts';
import { bodyOf, serveInMemory, textModel, WordEncoder } from './memory-deps.ts';

const ROUTE = '/v1/embeddings';
const GOOD = { model: 'words', input: 'secret words' };

/** An encoder that takes its time. */
class SlowEncoder extends WordEncoder {
  readonly #pass: () => void;

  constructor(version: PackedVersion, pass: () => void) {
    super(version);
    this.#pass = pass;
  }

  override run(tensors: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    this.#pass();
    return super.run(tensors);
  }
}

describe('createHandler', () => {
  it('returns model, version, cache, timings and the request id in headers', async () => {
    const { send } = serveInMemory();
    expect((await send(postEvent(ROUTE, GOOD))).headers).toEqual({
      'content-type': 'application/json',
      'x-model-id': 'words',
      'x-model-version': '1',
      'x-cache': 'MISS',
      'x-request-id': 'gateway-request-1',
      'server-timing': 'total;dur=0.00, tokenize;dur=0.00, cache;dur=0.00, model;dur=0.00',
    });
  });

  const bad: [string, APIGatewayProxyEvent, number, string][] = [
    ['the body is empty', gatewayEvent(ROUTE), 400, 'INVALID_BODY'],
    ['the body is blank', gatewayEvent(ROUTE, { body: ' \n' }), 400, 'INVALID_BODY'],
    ['the body is not JSON', gatewayEvent(ROUTE, { body: '{"input": "my secret' }), 400, 'INVALID_JSON'],
    ['the body is not an object', postEvent(ROUTE, ['x']), 400, 'INVALID_BODY'],
    ['the input is missing', postEvent(ROUTE, { model: 'words' }), 400, 'INVALID_BODY'],
    ['the input is of a wrong type', postEvent(ROUTE, { ...GOOD, input: 7 }), 400, 'INVALID_BODY'],
    ['the input is empty', postEvent(ROUTE, { ...GOOD, input: '' }), 400, 'INPUT_EMPTY'],
    ['there are no inputs', postEvent(ROUTE, { ...GOOD, input: [] }), 400, 'INPUT_EMPTY'],
    ['there are too many inputs', postEvent(ROUTE, { ...GOOD, input: new Array(9).fill('x') }), 400, 'TOO_MANY_ITEMS'],
    ['there are token ids', postEvent(ROUTE, { ...GOOD, input: [100] }), 400, 'INVALID_BODY'],
    ['dimensions are too many', postEvent(ROUTE, { ...GOOD, dimensions: 5 }), 400, 'INVALID_PARAMETER'],
    ['the format is unknown', postEvent(ROUTE, { ...GOOD, encoding_format: 'hex' }), 400, 'INVALID_PARAMETER'],
    ['the model is unknown', postEvent(ROUTE, { ...GOOD, model: 'gpt' }), 404, 'MODEL_NOT_FOUND'],
    ['the route is unknown', postEvent('/v1/other', GOOD), 404, 'ROUTE_NOT_FOUND'],
    ['the method is wrong', getEvent(ROUTE), 405, 'METHOD_NOT_ALLOWED'],
    [
      'the content type is wrong',
      postEvent(ROUTE, GOOD, { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['the base64 is bad', gatewayEvent(ROUTE, { body: '{"in"', isBase64Encoded: true }), 400, 'INVALID_ENCODING'],
    [
      'the gzip is bad',
      binaryEvent(ROUTE, Buffer.from('\u001f\u008bnonsense', 'latin1'), { headers: { 'content-encoding': 'gzip' } }),
      400,
      'INVALID_ENCODING',
    ],
    [
      'the content coding is unknown',
      binaryEvent(ROUTE, Buffer.from('{}'), { headers: { 'content-encoding': 'zstd' } }),
      400,
      'INVALID_ENCODING',
    ],
    ['the bytes are not UTF-8', binaryEvent(ROUTE, Uint8Array.from([0x7b, 0xff, 0x7d])), 400, 'INVALID_ENCODING'],
    [
      'the body grows too large when decompressed',
      binaryEvent(ROUTE, gzipSync(Buffer.alloc(11 * 1024 * 1024, ' ')), { headers: { 'content-encoding': 'gzip' } }),
      413,
      'BODY_TOO_LARGE',
    ],
    ['the body is too large', gatewayEvent(ROUTE, { body: ' '.repeat(11 * 1024 * 1024) }), 413, 'BODY_TOO_LARGE'],
  ];

  it.each(bad)('fails with its code when %s', async (_, event, status, code) => {
    const { send, lines } = serveInMemory();
    const answer = await send(event);
    const body = bodyOf(answer);
    expect([answer.statusCode, body['code']]).toEqual([status, code]);
    expect(answer.headers?.['content-type']).toBe('application/problem+json');
    expect(answer.headers?.['x-request-id']).toBe('gateway-request-1');
    expect(body).toMatchObject({ status, requestId: 'gateway-request-1', error: { code, message: body['detail'] } });
    expect(answer.body).not.toMatch(/secret|\bat .+:\d+/);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ status, code, ClientErrors: 1, route: event.resource });
    expect(lines[0]).not.toHaveProperty('Errors');
    expect(JSON.stringify(lines)).not.toMatch(/secret/);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('reads bodies compressed with %s', async (coding, compress) => {
    const { send } = serveInMemory();
    const plain = await send(postEvent(ROUTE, GOOD));
    const body = compress(Buffer.from(JSON.stringify(GOOD)));
    const answer = await send(binaryEvent(ROUTE, body, { headers: { 'content-encoding': coding } }));
    expect(answer.body).toBe(plain.body);
  });

  it.each([
    ['as text', postEvent(ROUTE, GOOD, { headers: { 'content-encoding': 'gzip' } })],
    ['as bytes', binaryEvent(ROUTE, Buffer.from(JSON.stringify(GOOD)), { headers: { 'content-encoding': 'gzip' } })],
    ['without a coding', binaryEvent(ROUTE, Buffer.from(JSON.stringify(GOOD)))],
  ])('reads bodies that the gateway decompressed, %s', async (_, event) => {
    expect((await serveInMemory().send(event)).statusCode).toBe(200);
  });

  it('accepts media types of JSON, and none at all', async () => {
    const { send } = serveInMemory();
    for (const type of ['application/json; charset=utf-8', 'application/vnd.api+json', 'Application/JSON']) {
      expect((await send(postEvent(ROUTE, GOOD, { headers: { 'Content-Type': type } }))).statusCode).toBe(200);
    }
    const event = postEvent(ROUTE, GOOD);
    expect((await send({ ...event, headers: {} })).statusCode).toBe(200);
  });

  it('reveals nothing about an unknown failure, and logs where it was thrown but not its message', async () => {
    const { send, lines } = serveInMemory({
      load: async ({ inputs, outputs }) => ({
        inputs,
        outputs,
        run: () => Promise.reject(new TypeError('secret words')),
      }),
    });
    const answer = await send(postEvent(ROUTE, GOOD));
    expect([answer.statusCode, bodyOf(answer)['code'], bodyOf(answer)['detail']]).toEqual([
      500,
      'INTERNAL',
      'unexpected failure',
    ]);
    expect(lines[0]).toMatchObject({ level: 'ERROR', code: 'INTERNAL', error: { cause: 'TypeError' } });
    expect(JSON.stringify(lines)).not.toMatch(/secret/);
    expect(JSON.stringify(lines[0]?.['error'])).toMatch(/handler\.test/);
  });

  it('logs no word that a container said about a request that it refused', async () => {
    const cause = new Error('from primary with message "cannot parse: secret words"');
    cause.name = 'ModelError';
    const { send, lines } = serveInMemory({
      load: async ({ inputs, outputs }) => ({
        inputs,
        outputs,
        run: () => Promise.reject(new AppError('BAD_GATEWAY', 'the model failed to run (500)', { cause })),
      }),
    });
    expect((await send(postEvent(ROUTE, GOOD))).statusCode).toBe(502);
    expect(lines[0]).toMatchObject({ error: { message: 'the model failed to run (500)', cause: 'ModelError' } });
    expect(JSON.stringify(lines)).not.toMatch(/secret/);
  });

  it('responds with TIMEOUT before Lambda ends the function', async () => {
    const { send, clock, encoders } = serveInMemory({
      packed: textModel({ batching: { maxItems: 1 } }),
      load: async (version) => {
        const encoder = new SlowEncoder(version, () => {
          clock.nowMs += 10_000;
        });
        encoders.push(encoder);
        return encoder;
      },
    });
    const answer = await send(postEvent(ROUTE, { model: 'words', input: ['a', 'bb', 'ccc', 'dddd', 'eeeee'] }));
    expect(encoders[0]?.shapes).toHaveLength(3);
    expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([504, 'TIMEOUT']);
  });

  describe('the line of a request', () => {
    it('is a log record and a metrics document', async () => {
      const { send, lines } = serveInMemory();
      await send(postEvent(ROUTE, { model: 'words', input: ['a b', 'c'] }));
      expect(lines).toEqual([
        {
          _aws: {
            Timestamp: 1_700_000_000_000,
            CloudWatchMetrics: [
              {
                Namespace: 'Tensorgate',
                Dimensions: [['stage', 'model']],
                Metrics: [
                  { Name: 'BatchSize', Unit: 'Count' },
                  { Name: 'Tokens', Unit: 'Count' },
                  { Name: 'CacheHitsMemory', Unit: 'Count' },
                  { Name: 'CacheHitsTable', Unit: 'Count' },
                  { Name: 'CacheMisses', Unit: 'Count' },
                  { Name: 'ColdStart', Unit: 'Count' },
                  { Name: 'Latency', Unit: 'Milliseconds' },
                ],
              },
            ],
          },
          level: 'INFO',
          timestamp: '2023-11-14T22:13:20.000Z',
          message: 'request',
          requestId: 'lambda-request-1',
          gatewayRequestId: 'gateway-request-1',
          method: 'POST',
          route: ROUTE,
          status: 200,
          stage: 'dev',
          model: 'words',
          version: '1',
          cache: 'MISS',
          tokenizeMs: 0,
          cacheMs: 0,
          Latency: 0,
          BatchSize: 2,
          Tokens: 7,
          CacheHitsMemory: 0,
          CacheHitsTable: 0,
          CacheMisses: 2,
          ColdStart: 1,
        },
      ]);
    });

    it('counts a cold start once', async () => {
      const { send, lines } = serveInMemory();
      await send(postEvent(ROUTE, GOOD));
      await send(postEvent(ROUTE, GOOD));
      expect(lines.map(({ ColdStart }) => ColdStart)).toEqual([1, undefined]);
    });

    it('lists the failures of the results cache since the previous line', async () => {
      const failures = [{ operation: 'read' as const, reason: 'TimeoutError' }];
      const { send, lines } = serveInMemory({ failures });
      await send(postEvent(ROUTE, GOOD));
      await send(postEvent(ROUTE, GOOD));
      expect(lines[0]).toMatchObject({ level: 'WARN', CacheFailures: 1, cacheFailures: [{ reason: 'TimeoutError' }] });
      expect(lines[1]).not.toHaveProperty('CacheFailures');
    });

    it('counts errors of the caller and errors of the service separately', async () => {
      const { send, lines } = serveInMemory();
      await send(gatewayEvent(ROUTE, { body: '{' }));
      expect(lines[0]).toMatchObject({
        _aws: {
          CloudWatchMetrics: [
            { Dimensions: [['stage', 'model']] },
            { Dimensions: [['stage', 'model']], Metrics: [{ Name: 'ClientErrors', Unit: 'Count' }] },
          ],
        },
        code: 'INVALID_JSON',
        error: { message: 'body is not valid JSON: unexpected character at position 1' },
      });
    });
  });
});
