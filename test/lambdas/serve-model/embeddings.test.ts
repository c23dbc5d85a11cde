import { describe, expect, it } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import { lambdaContext, postEvent } from '../events.ts';
import { bodyOf, serveInMemory, textModel, WIDTH, WordEncoder } from './memory-deps.ts';

const ROUTE = '/v1/embeddings';

function vectorsOf(body: Record<string, unknown>): number[][] {
  return (body['data'] as { readonly embedding: number[] }[]).map(({ embedding }) => embedding);
}

/** A model whose vectors have many dimensions. */
function wideModel(width: number) {
  const packed = textModel({ limits: { maxItems: 2048, maxTokens: 16 } });
  const outputs = [{ name: 'last_hidden_state', datatype: 'FP32' as const, shape: [-1, -1, width] }];
  const versions = Object.entries(packed.versions).map(([name, version]) => [name, { ...version, outputs }]);
  const load = async ({ inputs }: PackedVersion) => ({
    inputs,
    outputs,
    run: async ({ input_ids: ids }: Readonly<Record<string, Tensor>>) => {
      const [rows = 1, tokens = 1] = ids?.shape ?? [];
      const data = Float32Array.from({ length: rows * tokens * width }, (_, at) => Math.sin(at));
      return { last_hidden_state: { datatype: 'FP32' as const, shape: [rows, tokens, width], data } };
    },
  });
  return { packed: { ...packed, versions: Object.fromEntries(versions) }, load };
}

describe('POST /v1/embeddings', () => {
  it('returns one vector of length one for each input, in order', async () => {
    const { send } = serveInMemory();
    const body = bodyOf(await send(postEvent(ROUTE, { model: 'words', input: ['one', 'three words here', 'one'] })));
    const vectors = vectorsOf(body);
    expect(vectors).toHaveLength(3);
    expect(vectors[0]).toEqual(vectors[2]);
    expect(vectors[0]).not.toEqual(vectors[1]);
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(body['usage']).toEqual({ prompt_tokens: 11, total_tokens: 11 });
  });

  it('returns the same bits alone, among others and as base64', async () => {
    const { send } = serveInMemory({ table: null });
    const alone = vectorsOf(bodyOf(await send(postEvent(ROUTE, { model: 'words', input: 'a bc def' }))))[0] ?? [];
    const among = vectorsOf(
      bodyOf(await send(postEvent(ROUTE, { model: 'words', input: ['x', 'a bc def', 'long er text is here'] }))),
    );
    const coded = bodyOf(
      await send(postEvent(ROUTE, { model: 'words', input: 'a bc def', encoding_format: 'base64' })),
    );
    const [{ embedding } = { embedding: '' }] = coded['data'] as { embedding: string }[];
    const bytes = new Uint8Array(Buffer.from(embedding, 'base64'));
    expect(among[1]).toEqual(alone);
    expect([...new Float32Array(bytes.buffer)]).toEqual(Array.from(alone, Math.fround));
  });

  it('gives a text and its token ids one vector, computed once', async () => {
    const { send, encoders } = serveInMemory({ packed: textModel({ embedding: { acceptTokenIds: true } }) });
    const text = await send(postEvent(ROUTE, { model: 'words', input: 'ab cde' }));
    const ids = await send(postEvent(ROUTE, { model: 'words', input: [5, 6] }));
    expect(vectorsOf(bodyOf(ids))).toEqual(vectorsOf(bodyOf(text)));
    expect(ids.headers?.['x-cache']).toBe('HIT');
    expect(encoders[0]?.shapes).toHaveLength(1);
  });

  it('cuts vectors to the requested dimensions, from one kept vector', async () => {
    const { send } = serveInMemory({ packed: textModel({ embedding: { matryoshkaDimensions: [2] } }) });
    await send(postEvent(ROUTE, { model: 'words', input: 'ab cde' }));
    const answer = await send(postEvent(ROUTE, { model: 'words', input: 'ab cde', dimensions: 2 }));
    const [vector = []] = vectorsOf(bodyOf(answer));
    expect(answer.headers?.['x-cache']).toBe('HIT');
    expect(vector).toHaveLength(2);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  it('cuts a text that is too long only on request', async () => {
    const { send } = serveInMemory();
    const input = 'w '.repeat(30).trim();
    const refused = await send(postEvent(ROUTE, { model: 'words', input }));
    expect([refused.statusCode, bodyOf(refused)['code']]).toEqual([400, 'TOO_MANY_TOKENS']);
    expect(bodyOf(refused)['detail']).toBe(
      'item 0 has 32 tokens, at most 16 are allowed; set truncate to true to cut its end',
    );
    const cut = await send(postEvent(ROUTE, { model: 'words', input, truncate: true }));
    expect(bodyOf(cut)['usage']).toEqual({ prompt_tokens: 16, total_tokens: 16 });
  });

  it('cuts the start of a text, or the end if the manifest says so', async () => {
    const { send } = serveInMemory({ packed: textModel({ limits: { maxTokens: 4, overflow: 'truncate' } }) });
    const vectorOf = async (body: Record<string, unknown>) =>
      vectorsOf(bodyOf(await send(postEvent(ROUTE, { model: 'words', ...body }))))[0];
    const input = 'a bb ccc dddd';
    expect(await vectorOf({ input })).toEqual(await vectorOf({ input: 'a bb' }));
    expect(await vectorOf({ input, truncate: 'START' })).toEqual(await vectorOf({ input: 'ccc dddd' }));
    const refused = await send(postEvent(ROUTE, { model: 'words', input, truncate: 'NONE' }));
    expect(bodyOf(refused)['code']).toBe('TOO_MANY_TOKENS');
  });

  it('runs the model in batches of few padded tokens', async () => {
    const { send, encoders } = serveInMemory({
      packed: textModel({ batching: { maxTokens: 12, maxItems: 8 } }),
      table: null,
    });
    await send(postEvent(ROUTE, { model: 'words', input: ['a', 'a b c d e f g h', 'b', 'c d'] }));
    for (const [items = 0, tokens = 0] of encoders[0]?.shapes ?? []) {
      expect(items === 1 || items * tokens <= 12).toBe(true);
    }
  });

  describe('the results cache', () => {
    it('returns the result of a repeated request, and reports the hit', async () => {
      const { send, clock, encoders } = serveInMemory();
      const event = () => postEvent(ROUTE, { model: 'words', input: 'hello there' });
      const first = await send(event());
      clock.nowMs += 5500;
      const second = await send(event());
      expect([first.headers?.['x-cache'], first.headers?.['age']]).toEqual(['MISS', undefined]);
      expect([second.headers?.['x-cache'], second.headers?.['age']]).toEqual(['HIT', '5']);
      expect(second.body).toBe(first.body);
      expect(encoders[0]?.shapes).toHaveLength(1);
    });

    it('leaves to the model only what it lacks', async () => {
      const { send, encoders, lines } = serveInMemory();
      await send(postEvent(ROUTE, { model: 'words', input: 'known' }));
      const answer = await send(postEvent(ROUTE, { model: 'words', input: ['known', 'new one', 'known', 'new one'] }));
      expect(answer.headers?.['x-cache']).toBe('PARTIAL');
      expect(encoders[0]?.shapes).toEqual([
        [1, 3],
        [1, 4],
      ]);
      expect(lines[1]).toMatchObject({ CacheHitsMemory: 1, CacheMisses: 1, CacheHitsTable: 0, BatchSize: 4 });
    });

    it.each([
      ['no-store', 'BYPASS', 'MISS'],
      ['no-cache', 'BYPASS', 'HIT'],
      ['max-age=0', 'MISS', 'HIT'],
    ])('heeds Cache-Control: %s', async (directive, first, afterwards) => {
      const { send } = serveInMemory();
      const body = { model: 'words', input: 'some text' };
      const answer = await send(postEvent(ROUTE, body, { headers: { 'cache-control': directive } }));
      expect(answer.headers?.['x-cache']).toBe(first);
      expect((await send(postEvent(ROUTE, body))).headers?.['x-cache']).toBe(afterwards);
    });

    it.each([
      [undefined, 'MISS', 'MISS', 'HIT'],
      ['tenant', 'MISS', 'MISS', 'HIT'],
      ['plan', 'HIT', 'MISS', 'HIT'],
      ['deployment', 'HIT', 'HIT', 'HIT'],
    ] as const)('reveals nothing about callers outside of its scope, %s', async (cacheScope, samePlan, other, own) => {
      const { deps } = serveInMemory();
      const handler = createHandler({ ...deps, environment: { ...deps.environment, cacheScope } });
      const stageVariables = { plan_0: 'pro:keys=alice,bob', plan_1: 'free:keys=mallory' };
      const stateFor = async (apiKeyId: string) => {
        const event = postEvent(ROUTE, { model: 'words', input: 'a secret' }, { apiKeyId, stageVariables });
        const { headers } = await handler(event, lambdaContext());
        return headers?.['x-cache'];
      };
      expect(await stateFor('alice')).toBe('MISS');
      expect([await stateFor('bob'), await stateFor('mallory'), await stateFor('alice')]).toEqual([
        samePlan,
        other,
        own,
      ]);
    });

    it('is not used if the model keeps no results', async () => {
      const { send } = serveInMemory({ table: null });
      await send(postEvent(ROUTE, { model: 'words', input: 'x' }));
      expect((await send(postEvent(ROUTE, { model: 'words', input: 'x' }))).headers?.['x-cache']).toBe('BYPASS');
    });

    it('keeps the results of versions apart', async () => {
      const { send, encoders } = serveInMemory();
      const inputs = [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['x'] }];
      for (const version of ['1', '2']) {
        const event = postEvent(
          '/v2/models/words/versions/{version}/infer',
          { inputs },
          { pathParameters: { version } },
        );
        expect((await send(event)).headers).toMatchObject({ 'x-cache': 'MISS', 'x-model-version': version });
      }
      expect(encoders).toHaveLength(2);
    });

    it('never keeps what is not finite', async () => {
      const { send, encoders } = serveInMemory();
      await send(postEvent(ROUTE, { model: 'words', input: 'warm' }));
      const [encoder] = encoders;
      if (encoder !== undefined) encoder.poison = Number.NaN;
      const bad = await send(postEvent(ROUTE, { model: 'words', input: 'bad' }));
      expect([bad.statusCode, bodyOf(bad)['code']]).toEqual([500, 'ANSWER_NOT_FINITE']);
      if (encoder !== undefined) encoder.poison = undefined;
      expect((await send(postEvent(ROUTE, { model: 'words', input: 'bad' }))).headers?.['x-cache']).toBe('MISS');
    });
  });

  describe('with many inputs', () => {
    const MANY = { limits: { maxItems: 2048, maxTokens: 16, maxRequestTokens: 8192 } };
    const word = (length: number) => 'w'.repeat(1 + length);
    const texts = Array.from({ length: 1000 }, (_, index) => `${word(index % 50)} ${word(Math.floor(index / 50))}`);

    it('computes all of them, and each result is the one of its text', async () => {
      const { send, lines } = serveInMemory({ packed: textModel(MANY) });
      const vectors = vectorsOf(bodyOf(await send(postEvent(ROUTE, { model: 'words', input: texts }))));
      expect(vectors).toHaveLength(texts.length);
      for (const index of [0, 99, 100, 999]) {
        const alone = bodyOf(await send(postEvent(ROUTE, { model: 'words', input: texts[index] })));
        expect(vectors[index]).toEqual(vectorsOf(alone)[0]);
      }
      expect(lines[0]).toMatchObject({ cache: 'MISS', BatchSize: 1000, CacheMisses: 1000 });
    });

    it('runs the model no more often than requests with parts of them', async () => {
      const runs = async (size: number) => {
        const { send, encoders } = serveInMemory({ packed: textModel(MANY), table: null });
        for (let start = 0; start < texts.length; start += size) {
          await send(postEvent(ROUTE, { model: 'words', input: texts.slice(start, start + size) }));
        }
        return encoders[0]?.shapes.length ?? 0;
      };
      expect(await runs(1000)).toBeLessThanOrEqual(await runs(64));
    });

    it('states how many fit when all of them together have too many tokens', async () => {
      const { send } = serveInMemory({ packed: textModel({ limits: { ...MANY.limits, maxRequestTokens: 300 } }) });
      const refused = await send(postEvent(ROUTE, { model: 'words', input: texts }));
      expect([refused.statusCode, bodyOf(refused)['code']]).toEqual([400, 'TOO_MANY_TOKENS']);
      expect(bodyOf(refused)['detail']).toMatch(/more than 300 tokens together.*the first 75 of the 1000 inputs fit$/);
    });

    it('states before the model runs how many fit into a response, and how many as base64', async () => {
      const { packed, load } = wideModel(4096);
      let runs = 0;
      const { send } = serveInMemory({
        packed,
        table: null,
        load: async (version) => {
          const predictor = await load(version);
          return { ...predictor, run: (tensors) => predictor.run(tensors).finally(() => runs++) };
        },
      });
      const refused = await send(postEvent(ROUTE, { model: 'words', input: texts.slice(0, 200) }));
      expect([refused.statusCode, bodyOf(refused)['code']]).toEqual([400, 'TOO_MANY_ITEMS']);
      const [, numbers = '', base64 = ''] =
        /at most (\d+) inputs fit .*, or all (\d+) with encoding_format base64$/.exec(
          String(bodyOf(refused)['detail']),
        ) ?? [];
      expect(runs).toBe(0);
      expect(Number(numbers)).toBeGreaterThan(100);
      const input = texts.slice(0, 200);
      expect(Number(base64)).toBe(200);
      const coded = await send(postEvent(ROUTE, { model: 'words', input, encoding_format: 'base64' }));
      expect(coded.statusCode).toBe(200);
    });

    it('states how many fit into the time, and keeps the results so far', async () => {
      const { send, clock, encoders } = serveInMemory({
        packed: textModel({ ...MANY, batching: { maxItems: 16 } }),
        load: async (version) => {
          const encoder = new WordEncoder(version);
          encoders.push(encoder);
          return {
            ...version,
            run: (tensors) => {
              clock.nowMs += 1000;
              return encoder.run(tensors);
            },
          };
        },
      });
      const event = () => postEvent(ROUTE, { model: 'words', input: texts });
      const late = await send(event());
      expect([late.statusCode, bodyOf(late)['code']]).toEqual([504, 'TIMEOUT']);
      expect(bodyOf(late)['detail']).toMatch(
        /^the model computed \d+ of 1000 inputs .* send about \d+ inputs at a time/,
      );
      await send(event());
      expect((await send(event())).statusCode).toBe(200);
    });
  });

  describe('with another model', () => {
    it('forwards the event unchanged, and returns the response of the other function', async () => {
      const handed: [string, APIGatewayProxyEvent][] = [];
      const answer = { statusCode: 200, headers: { 'x-model-id': 'other' }, body: '{}' };
      const { send, lines } = serveInMemory({
        siblings: ['other'],
        forward: async (target, event) => {
          handed.push([target, event]);
          return answer;
        },
      });
      const event = postEvent(ROUTE, { model: 'other', input: 'x' });
      const original = structuredClone(event);
      expect(await send(event)).toEqual(answer);
      expect(handed).toEqual([['other', original]]);
      expect(lines[0]).toMatchObject({ forwardedTo: 'other', status: 200 });
    });

    it('serves its aliases on every route, and names itself in the response', async () => {
      const { send } = serveInMemory({ packed: textModel({ aliases: ['text-embedding-3-small'] }) });
      const embedded = await send(postEvent(ROUTE, { model: 'text-embedding-3-small', input: 'x' }));
      expect([embedded.statusCode, bodyOf(embedded)['model']]).toEqual([200, 'words']);
      const inputs = [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['x'] }];
      const inferred = await send(postEvent('/v2/models/text-embedding-3-small/infer', { inputs }));
      expect(bodyOf(inferred)['model_name']).toBe('words');
      const predicted = await send(postEvent('/v1/models/text-embedding-3-small:predict', { instances: ['x'] }));
      expect(predicted.statusCode).toBe(200);
    });

    it('forwards a request that names another model by an alias', async () => {
      const targets: string[] = [];
      const { send, lines } = serveInMemory({
        siblings: ['other'],
        modelAliases: { ada: 'other' },
        forward: async (target) => {
          targets.push(target);
          return { statusCode: 200, body: '{}' };
        },
      });
      await send(postEvent(ROUTE, { model: 'ada', input: 'x' }));
      expect(targets).toEqual(['other']);
      expect(lines[0]).toMatchObject({ forwardedTo: 'other' });
    });

    it('fails with MODEL_NOT_FOUND when there is no such model', async () => {
      const { send } = serveInMemory({ siblings: ['other'] });
      for (const model of ['toString', 'gpt']) {
        const answer = await send(postEvent(ROUTE, { model, input: 'x' }));
        expect([answer.statusCode, bodyOf(answer)['detail']]).toEqual([404, 'model must be one of other, words']);
      }
    });
  });

  it('fails with ANSWER_TOO_LARGE when Lambda would not return the response', async () => {
    const { send } = serveInMemory({ ...wideModel(500_000), table: null });
    const answer = await send(postEvent(ROUTE, { model: 'words', input: 'x' }));
    expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([500, 'ANSWER_TOO_LARGE']);
    expect(bodyOf(answer)['detail']).toMatch(
      /^the response takes \d+ bytes, at most 6283364 can be returned; send fewer/,
    );
    const coded = await send(postEvent(ROUTE, { model: 'words', input: 'x', encoding_format: 'base64' }));
    expect(coded.statusCode).toBe(200);
  });

  it('has vectors of the length that the model declares', async () => {
    const { send } = serveInMemory();
    const body = bodyOf(await send(postEvent(ROUTE, { model: 'words', input: 'x' })));
    expect(vectorsOf(body)[0]).toHaveLength(WIDTH);
  });
});
