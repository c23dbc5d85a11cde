import { describe, expect, it, test } from '@jest/globals';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { parseManifest } from '../../../core/models/manifest.ts';
import type { PackedModel, PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import { getEvent, postEvent } from '../events.ts';
import { bodyOf, serveInMemory, textModel, WIDTH } from './memory-deps.ts';

describe('a model of texts', () => {
  const texts = ['one two', 'three'];

  async function vectorsByProtocol() {
    const { send } = serveInMemory({ table: null });
    const openAi = bodyOf(await send(postEvent('/v1/embeddings', { model: 'words', input: texts })));
    const predict = bodyOf(await send(postEvent('/v1/models/words:predict', { instances: texts })));
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [2], data: texts }];
    const infer = bodyOf(await send(postEvent('/v2/models/words/infer', { id: 'mine', inputs })));
    return { openAi, predict, infer };
  }

  it('returns the same bits over every protocol', async () => {
    const { openAi, predict, infer } = await vectorsByProtocol();
    const vectors = (openAi['data'] as { embedding: number[] }[]).map(({ embedding }) => embedding);
    expect(predict).toEqual({ predictions: vectors });
    expect(infer).toEqual({
      model_name: 'words',
      model_version: '1',
      id: 'mine',
      outputs: [{ name: 'embedding', datatype: 'FP32', shape: [2, WIDTH], data: vectors.flat() }],
    });
  });

  it('accepts truncate and dimensions as parameters', async () => {
    const { send } = serveInMemory({ packed: textModel({ embedding: { matryoshkaDimensions: true } }) });
    const parameters = { truncate: true, dimensions: 2 };
    const long = 'w '.repeat(30).trim();
    const predict = bodyOf(
      await send(postEvent('/v1/models/words:predict', { instances: [{ text: long }], parameters })),
    );
    expect((predict['predictions'] as number[][])[0]).toHaveLength(2);
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [1], data: [long] }];
    const infer = bodyOf(await send(postEvent('/v2/models/words/infer', { inputs, parameters })));
    expect((infer['outputs'] as { shape: number[] }[])[0]?.shape).toEqual([1, 2]);
  });

  it('serves the version that the path names, and loads it on first use', async () => {
    const { send, encoders } = serveInMemory();
    const event = getEvent('/v2/models/words/versions/{version}/ready', { version: '2' });
    const answer = await send(event);
    expect(bodyOf(answer)).toEqual({ name: 'words', ready: true });
    expect(answer.headers?.['x-model-version']).toBe('2');
    expect(encoders).toHaveLength(1);
  });

  it('describes a version without loading it', async () => {
    const { send, encoders } = serveInMemory();
    const body = bodyOf(await send(getEvent('/v2/models/words/versions/{version}', { version: '2' })));
    expect(body).toMatchObject({ name: 'words', inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }] });
    expect(encoders).toHaveLength(0);
  });

  it.each(['/v2/models/words/versions/{version}', '/v2/models/words/versions/{version}/ready'])(
    'fails with VERSION_NOT_FOUND when %s names none',
    async (route) => {
      const { send } = serveInMemory();
      for (const version of ['3', '__proto__', 'constructor']) {
        const answer = await send(getEvent(route, { version }));
        expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([404, 'VERSION_NOT_FOUND']);
      }
    },
  );

  it('keeps a caller on one version of a split', async () => {
    const { send } = serveInMemory({ packed: textModel({ traffic: { '1': 50, '2': 50 } }) });
    const versionFor = async (apiKeyId: string, experiment?: string) => {
      const headers = experiment === undefined ? {} : { 'X-Experiment-Key': experiment };
      const event = postEvent('/v1/embeddings', { model: 'words', input: 'x' }, { apiKeyId, headers });
      return (await send(event)).headers?.['x-model-version'];
    };
    const versions = await Promise.all(Array.from({ length: 20 }, (_, key) => versionFor(`key-${key}`)));
    expect(new Set(versions).size).toBe(2);
    expect(await Promise.all(Array.from({ length: 20 }, (_, key) => versionFor(`key-${key}`)))).toEqual(versions);
    const same = await Promise.all(Array.from({ length: 20 }, (_, key) => versionFor(`key-${key}`, 'me')));
    expect(new Set(same).size).toBe(1);
  });

  it('serves both keys of a tenant with the same version of a split, which is also that of an authorized caller', async () => {
    const { send } = serveInMemory({ packed: textModel({ traffic: { '1': 50, '2': 50 } }) });
    const versionFor = async (event: APIGatewayProxyEvent) => (await send(event)).headers?.['x-model-version'];
    const eventOf = (apiKeyId: string, tenant: string) => {
      const stageVariables = { tenant_acme: `${tenant}:old,new` };
      return postEvent('/v1/embeddings', { model: 'words', input: 'x' }, { apiKeyId, stageVariables });
    };
    const tenants = Array.from({ length: 20 }, (_, at) => `tenant-${at}`);
    const versions = await Promise.all(tenants.map((tenant) => versionFor(eventOf('old', tenant))));
    expect(new Set(versions).size).toBe(2);
    expect(await Promise.all(tenants.map((tenant) => versionFor(eventOf('new', tenant))))).toEqual(versions);
    const authorized = tenants.map((tenant) => {
      const event = eventOf('shared', 'none');
      return { ...event, requestContext: { ...event.requestContext, authorizer: { tenant, credential: 'token' } } };
    });
    expect(await Promise.all(authorized.map(versionFor))).toEqual(versions);
  });

  it('tries again to load a version that could not be loaded', async () => {
    let tries = 0;
    const { send } = serveInMemory({
      load: async ({ inputs, outputs }) => {
        tries += 1;
        if (tries === 1) throw new Error('disk');
        return { inputs, outputs, run: () => Promise.reject(new Error('unused')) };
      },
    });
    expect((await send(getEvent('/v2/models/words/ready'))).statusCode).toBe(500);
    expect((await send(getEvent('/v2/models/words/ready'))).statusCode).toBe(200);
  });
});

/** Properties of the tensor model that a test may change. */
interface SumOptions {
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly version?: Partial<PackedVersion>;
  readonly predictor?: Predictor;
}

describe('a model of tensors', () => {
  const sum: Predictor = {
    inputs: [
      { name: 'a', datatype: 'FP32', shape: [-1, 2] },
      { name: 'n', datatype: 'INT64', shape: [-1, 1] },
    ],
    outputs: [
      { name: 'sum', datatype: 'FP32', shape: [-1] },
      { name: 'n', datatype: 'INT64', shape: [-1, 1] },
    ],
    run: async ({ a, n }) => {
      const rows = a?.shape[0] ?? 0;
      const values = a?.data as Float32Array;
      const data = Float32Array.from({ length: rows }, (_, row) => (values[2 * row] ?? 0) + (values[2 * row + 1] ?? 0));
      return {
        sum: { datatype: 'FP32', shape: [rows], data },
        n: { datatype: 'INT64', shape: [rows, 1], data: n?.data ?? new BigInt64Array() },
      };
    },
  };

  /** Serves the model; `manifest` and `version` change what its packed description says. */
  function serveSum({ manifest = {}, version = {}, predictor = sum }: SumOptions = {}) {
    const { inputs, outputs } = sum;
    const packed: PackedModel = {
      manifest: parseManifest(
        {
          id: 'sum',
          task: 'tensor',
          versions: { '1': { weights: '1/model.onnx', sha256: 'a'.repeat(64) } },
          ...manifest,
        },
        'test',
      ),
      versions: {
        '1': {
          file: '1.ort',
          sha256: 'a'.repeat(64),
          bytes: 1,
          rows: 'independent',
          inputs: inputs.map((input) => ({ ...input, shape: [...input.shape] })),
          outputs: outputs.map((output) => ({ ...output, shape: [...output.shape] })),
          ...version,
        },
      },
    };
    return serveInMemory({ packed, load: async () => predictor });
  }

  const big = '9007199254740993';
  const inferBody = `{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2.5]},{"name":"n","datatype":"INT64","shape":[1,1],"data":[${big}]}]}`;
  const inferEvent = (body = inferBody) => ({ ...postEvent('/v2/models/sum/infer', {}), body });

  it('returns its outputs with exact 64-bit integers, and from the cache the second time', async () => {
    const { send } = serveSum();
    const first = await send(inferEvent());
    expect(first.body).toBe(
      `{"model_name":"sum","model_version":"1","outputs":[{"name":"sum","datatype":"FP32","shape":[1],"data":[3.5]},{"name":"n","datatype":"INT64","shape":[1,1],"data":[${big}]}]}`,
    );
    const second = await send(inferEvent());
    expect(second.body).toBe(first.body);
    expect([first.headers?.['x-cache'], second.headers?.['x-cache']]).toEqual(['MISS', 'HIT']);
  });

  it('returns only the requested outputs', async () => {
    const { send } = serveSum();
    const body = bodyOf(await send(inferEvent(inferBody.replace(/}$/, ',"outputs":[{"name":"sum"}]}'))));
    expect((body['outputs'] as { name: string }[]).map(({ name }) => name)).toEqual(['sum']);
  });

  test('rows are cached one by one, and only those that the cache lacks are computed', async () => {
    const runs: (readonly number[] | undefined)[] = [];
    const predictor: Predictor = {
      ...sum,
      run: (tensors) => {
        runs.push(tensors['a']?.shape);
        return sum.run(tensors);
      },
    };
    const { send } = serveSum({ predictor });
    const predict = (...rows: number[][]) =>
      send(postEvent('/v1/models/sum:predict', { instances: rows.map((a) => ({ a, n: [7] })) }));
    await predict([1, 2], [3, 4]);
    const second = await predict([3, 4], [5, 6], [1, 2], [5, 6]);
    expect(bodyOf(second)['predictions']).toEqual([7, 11, 3, 11].map((value) => ({ sum: value, n: [7] })));
    expect(second.headers?.['x-cache']).toBe('PARTIAL');
    expect(runs).toEqual([
      [2, 2],
      [1, 2],
    ]);
  });

  test('a request to a model whose rows depend on each other is one item', async () => {
    const { send, lines } = serveSum({ version: { rows: 'together' } });
    const instances = [1, 2, 3].map((value) => ({ a: [value, 0], n: [7] }));
    const response = await send(postEvent('/v1/models/sum:predict', { instances }));
    expect(bodyOf(response)['predictions']).toHaveLength(3);
    expect(lines[0]).toMatchObject({ BatchSize: 1 });
  });

  test.each(['/v1/models/sum:predict', '/v2/models/sum/infer'])(
    'a request to %s with more rows than limits.maxItems fails with TOO_MANY_ITEMS',
    async (path) => {
      const { send } = serveSum({ manifest: { limits: { maxItems: 2 } } });
      const instances = [1, 2, 3].map((value) => ({ a: [value, 0], n: [7] }));
      const inputs = [
        { name: 'a', datatype: 'FP32', shape: [3, 2], data: [1, 2, 3, 4, 5, 6] },
        { name: 'n', datatype: 'INT64', shape: [3, 1], data: [1, 2, 3] },
      ];
      const response = await send(postEvent(path, path.includes('infer') ? { inputs } : { instances }));
      expect([response.statusCode, bodyOf(response)['code']]).toEqual([400, 'TOO_MANY_ITEMS']);
    },
  );

  test('a model without a batch dimension takes no instances, and the error names the route that takes its tensors', async () => {
    const { send } = serveSum({ version: { rows: undefined } });
    const response = await send(postEvent('/v1/models/sum:predict', { instances: [{ a: [1, 2], n: [7] }] }));
    expect([response.statusCode, bodyOf(response)['code']]).toEqual([400, 'INVALID_TENSOR']);
    expect(bodyOf(response)['detail']).toContain('/v2/models/sum/infer');
    expect((await send(inferEvent())).statusCode).toBe(200);
  });

  test.each(['independent', 'together'] as const)(
    'a model with %s rows that gives fewer rows than instances fails with BAD_GATEWAY',
    async (rows) => {
      const predictor: Predictor = {
        ...sum,
        run: async () => ({
          sum: { datatype: 'FP32', shape: [1], data: Float32Array.of(7) },
          n: { datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(7n) },
        }),
      };
      const { send } = serveSum({ predictor, version: { rows } });
      const instances = [1, 2, 3].map((value) => ({ a: [value, 0], n: [7] }));
      const response = await send(postEvent('/v1/models/sum:predict', { instances }));
      expect([response.statusCode, bodyOf(response)['code']]).toEqual([502, 'BAD_GATEWAY']);
    },
  );

  it('returns predictions row by row', async () => {
    const { send } = serveSum();
    const instances = [
      { a: [1, 2], n: [7] },
      { a: [3, 4], n: [8] },
    ];
    const body = bodyOf(await send(postEvent('/v1/models/sum:predict', { instances })));
    expect(body).toEqual({
      predictions: [
        { sum: 3, n: [7] },
        { sum: 7, n: [8] },
      ],
    });
  });

  it('fails with INVALID_TENSOR when a tensor does not fit the model', async () => {
    const { send } = serveSum();
    const answer = await send(inferEvent(inferBody.replace('[1,2],"data":[1,2.5]', '[1,3],"data":[1,2,3]')));
    expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([400, 'INVALID_TENSOR']);
    expect(typeof bodyOf(answer)['error']).toBe('string');
  });

  it('serves no embeddings', async () => {
    const { send } = serveSum();
    const answer = await send(postEvent('/v1/embeddings', { model: 'sum', input: 'x' }));
    expect([answer.statusCode, bodyOf(answer)['code']]).toEqual([404, 'ROUTE_NOT_FOUND']);
  });
});
