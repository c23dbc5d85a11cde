import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayEvent, getEvent, postEvent } from '../../events.ts';
import { startDynamoDb, startServer, TABLE, type TestServer } from '../../shared/results/dynamodb-server.ts';
import { bodyOf } from '../memory-deps.ts';
import { layOutPackage, type Package, type RunningFunction, startFunction } from './packaged-function.ts';

/** Maximum bytes of JavaScript that a cold start may load. */
const COLD_PATH_BUDGET_BYTES = 100_000;

const ROUTE = '/v1/embeddings';
const golden = JSON.parse(readFileSync(new URL('../../../../models/minilm/golden.json', import.meta.url), 'utf8')) as {
  readonly items: readonly { readonly text: string; readonly embedding: string }[];
};

function embeddingEvent(input: unknown, members: object = {}) {
  return postEvent(ROUTE, { model: 'minilm', input, ...members });
}

function vectorsOf(body: Record<string, unknown>): number[][] {
  return (body['data'] as { readonly embedding: number[] }[]).map(({ embedding }) => embedding);
}

describe('the package of minilm', () => {
  let pack: Package;
  const running: RunningFunction[] = [];
  const start = async (variables: Record<string, string> = {}) => {
    const started = await startFunction(pack.folder, variables);
    running.push(started);
    return started;
  };
  beforeAll(async () => {
    pack = await layOutPackage();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((started) => started.stop()));
  });
  afterAll(() => pack.remove());

  describe('its bundle', () => {
    it('stays within the budget of a cold start', () => {
      expect(pack.report.coldPathBytes).toBeLessThanOrEqual(COLD_PATH_BUDGET_BYTES);
      expect(JSON.parse(readFileSync(join(pack.folder, 'bundle.json'), 'utf8'))).toEqual(pack.report);
    });

    it('keeps the AWS SDK out of a cold start', () => {
      for (const { file } of pack.report.coldPath) {
        expect(readFileSync(join(pack.folder, file), 'utf8')).not.toMatch(/aws-sdk|smithy/i);
      }
    });

    it("takes Node's own modules without `import`, which reads every export and so loads more than a cold start needs", () => {
      const imported = /\b(?:from|import)\s*\(?\s*["']([\w:/]+)["']/g;
      const scripts = readdirSync(pack.folder).filter((name) => name.endsWith('.mjs'));
      const names = scripts.flatMap((name) => {
        const source = readFileSync(join(pack.folder, name), 'utf8');
        return Array.from(source.matchAll(imported), ([, specifier = '']) => specifier);
      });
      expect(names.filter(isBuiltin)).toEqual([]);
    });

    it('holds one copy of onnxruntime-common, and no source maps', () => {
      const scripts = readdirSync(pack.folder).filter((name) => name.endsWith('.mjs'));
      const sources = scripts.map((name) => readFileSync(join(pack.folder, name), 'utf8'));
      expect(sources.join('').split('cannot register backend')).toHaveLength(2);
      expect(sources.join('')).not.toMatch(/sourceMappingURL/);
      expect(readdirSync(pack.folder).filter((name) => name.endsWith('.map'))).toEqual([]);
    });
  });

  it('exports its handler and nothing else', async () => {
    expect((await start()).exports).toEqual(['handler']);
  });

  it('returns the same bits over every protocol, alone and among others', async () => {
    const { send } = await start();
    const texts = ['A text.', 'Another one, which is a good deal longer than the first.', 'x'];
    const whole = vectorsOf(bodyOf(await send(embeddingEvent(texts))));
    const predict = bodyOf(await send(postEvent('/v1/models/minilm:predict', { instances: texts })));
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [3], data: texts }];
    const noStore = { headers: { 'cache-control': 'no-store' } };
    const infer = bodyOf(await send(postEvent('/v2/models/minilm/infer', { inputs }, noStore)));
    const coded = bodyOf(
      await send(postEvent(ROUTE, { model: 'minilm', input: texts[1], encoding_format: 'base64' }, noStore)),
    );
    expect(whole[0]).toHaveLength(384);
    expect(predict['predictions']).toEqual(whole);
    expect((infer['outputs'] as { data: number[] }[])[0]?.data).toEqual(whole.flat());
    const [{ embedding } = { embedding: '' }] = coded['data'] as { embedding: string }[];
    const bytes = new Uint8Array(Buffer.from(embedding, 'base64'));
    expect([...new Float32Array(bytes.buffer)]).toEqual(Array.from(whole[1] ?? [], Math.fround));
  });

  it('returns the vectors of the reference', async () => {
    const { send } = await start();
    const items = golden.items.slice(0, 16);
    const vectors = vectorsOf(
      bodyOf(
        await send(
          embeddingEvent(
            items.map(({ text }) => text),
            { truncate: true },
          ),
        ),
      ),
    );
    for (const [index, { embedding }] of items.entries()) {
      const reference = new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer);
      const cosine = (vectors[index] ?? []).reduce((sum, x, at) => sum + x * (reference[at] ?? 0), 0);
      expect(cosine).toBeGreaterThan(0.98);
    }
  });

  it('returns the result of a repeated request from its cache', async () => {
    const { send, lines } = await start();
    const first = await send(embeddingEvent('twice'));
    const second = await send(embeddingEvent('twice'));
    expect([first.headers?.['x-cache'], second.headers?.['x-cache']]).toEqual(['MISS', 'HIT']);
    expect(second.body).toBe(first.body);
    expect((await lines(2)).map(({ status, ColdStart }) => [status, ColdStart])).toEqual([
      [200, 1],
      [200, undefined],
    ]);
  });

  it.each([
    ['INVALID_JSON', 400, gatewayEvent(ROUTE, { body: '{"input":' })],
    ['INPUT_EMPTY', 400, embeddingEvent('')],
    ['TOO_MANY_ITEMS', 400, embeddingEvent(new Array(2049).fill('x'))],
    ['TOO_MANY_TOKENS', 400, embeddingEvent('word '.repeat(600))],
    ['MODEL_NOT_FOUND', 404, postEvent(ROUTE, { model: 'other', input: 'x' })],
    ['VERSION_NOT_FOUND', 404, getEvent('/v2/models/minilm/versions/{version}', { version: '9' })],
    ['UNSUPPORTED_MEDIA_TYPE', 415, postEvent(ROUTE, {}, { headers: { 'Content-Type': 'text/plain' } })],
    ['INVALID_ENCODING', 400, gatewayEvent(ROUTE, { body: '***', isBase64Encoded: true })],
    [
      'INVALID_ENCODING',
      400,
      gatewayEvent(ROUTE, { body: 'aGVsbG8=', isBase64Encoded: true, headers: { 'content-encoding': 'gzip' } }),
    ],
  ])('fails with %s, status %d, and reveals no stack', async (code, status, event) => {
    const { send } = await start();
    const answer = await send(event);
    expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([status, code]);
    expect(answer.body).not.toMatch(/\.mjs|node:/);
  });

  describe('with a results table', () => {
    let server: TestServer | undefined;
    afterEach(async () => {
      await server?.close();
      server = undefined;
    });
    const tableAt = ({ client }: Pick<TestServer, 'client'>) => ({
      TENSORGATE_RESULTS_TABLE: TABLE,
      AWS_ENDPOINT_URL_DYNAMODB: client.endpoint,
    });

    it('is written before the response to the first request, so that another environment finds the result', async () => {
      server = await startDynamoDb();
      const one = await start(tableAt(server));
      const first = await one.send(embeddingEvent('shared by two'));
      expect(first.headers?.['x-cache']).toBe('MISS');
      expect(server.operations.at(-1)).toBe('BatchWriteItem');

      // A lookup has a few milliseconds only: on a busy machine it may take several environments.
      let second = first;
      let line: Record<string, unknown> | undefined;
      while (second.headers?.['x-cache'] !== 'HIT') {
        const two = await start(tableAt(server));
        second = await two.send(embeddingEvent('shared by two'));
        [line] = await two.lines(1);
      }
      expect(second.body).toBe(first.body);
      expect(line).toMatchObject({ CacheHitsTable: 1, CacheHitsMemory: 0 });
    });

    it('is connected before the first request, and not asked for what memory holds', async () => {
      server = await startDynamoDb();
      const { send } = await start(tableAt(server));
      expect(server.operations).toEqual(['BatchGetItem']);
      await send(embeddingEvent('remembered'));
      expect(server.operations).toEqual(['BatchGetItem', 'BatchGetItem', 'BatchWriteItem']);
      expect((await send(embeddingEvent('remembered'))).headers?.['x-cache']).toBe('HIT');
      expect(server.operations).toHaveLength(3);
    });

    it('does not affect responses while it refuses connections, which the log reports', async () => {
      const gone = await startDynamoDb();
      await gone.close();
      const { send, lines } = await start(tableAt(gone));
      for (const text of ['a', 'b', 'c', 'd']) expect((await send(embeddingEvent(text))).statusCode).toBe(200);
      const written = await lines(4);
      expect(written[0]?.['cacheFailures']).toContainEqual({ operation: 'read', reason: 'ECONNREFUSED' });
      expect(written[3]?.['cacheFailures']).toEqual([
        { operation: 'read', reason: 'CircuitOpen' },
        { operation: 'write', reason: 'CircuitOpen' },
      ]);
    });

    it('costs no more than its time limit while it never responds, and nothing once it is left alone', async () => {
      server = await startServer(() => undefined);
      const { send, lines } = await start(tableAt(server));
      for (const text of ['a', 'b', 'c', 'd']) expect((await send(embeddingEvent(text))).statusCode).toBe(200);
      const written = await lines(4);
      expect(written[3]?.['cacheFailures']).toEqual([
        { operation: 'read', reason: 'CircuitOpen' },
        { operation: 'write', reason: 'CircuitOpen' },
      ]);
      expect(written.flatMap(({ cacheFailures }) => cacheFailures)).toContainEqual({
        operation: 'read',
        reason: 'TimeoutError',
      });
    });
  });
});
