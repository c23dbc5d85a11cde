import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JobResult } from '../../../core/jobs/job.ts';
import { createHandler } from '../../../lambdas/serve-model/handler.ts';
import type { InferenceDeps } from '../../../lambdas/shared/inference/inference.ts';
import { openInference } from '../../../lambdas/shared/inference/open-inference.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';
import { lambdaContext, postEvent } from '../events.ts';
import { startWorker, type Worker } from './worker.ts';

/** Requests of all protocols, with texts of many lengths, some of them twice. */
const REQUESTS = [
  ['/v1/embeddings', { model: 'minilm', input: 'A short text.' }],
  ['/v1/embeddings', { model: 'minilm', input: ['Rain in the mountains', 'A short text.'], encoding_format: 'base64' }],
  ['/v1/embeddings', { model: 'minilm', input: 'one word more each time '.repeat(20), dimensions: 384 }],
  ['/v1/models/minilm:predict', { instances: ['Übergrößenträger', 'x'] }],
  [
    '/v2/models/minilm/infer',
    {
      id: 'seven',
      inputs: [
        { name: 'text', datatype: 'BYTES', shape: [2], data: ['Rain in the mountains', 'the cat sat on the mat'] },
      ],
    },
  ],
] as const;

describe('jobs of a model on onnxruntime', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tensorgate-run-jobs-'));
  let inference: InferenceDeps;
  let worker: Worker;
  beforeAll(async () => {
    await packModel(join(import.meta.dirname, '..', '..', '..', 'models', 'minilm'), folder);
    ({ deps: inference } = await openInference({
      modelFolder: folder,
      resultsTable: undefined,
      endpoint: undefined,
      memoryMiB: 1769,
    }));
  });
  beforeEach(async () => {
    worker = await startWorker({ inference: { ...inference, cache: undefined } });
  });
  afterEach(() => worker.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Returns the response of the synchronous route with empty caches. */
  const synchronous = async (endpoint: string, body: unknown) => {
    const handler = createHandler({
      ...inference,
      cache: undefined,
      environment: { siblings: [], metricsNamespace: 'Tensorgate', metrics: 'basic' as const, stage: 'test' },
      forward: () => Promise.reject(new Error('no sibling')),
      write: () => undefined,
      takeCacheFailures: () => [],
    });
    return (await handler(postEvent(endpoint, body), lambdaContext())).body;
  };

  it('have, if they run together, byte for byte the results that each would have alone', async () => {
    for (const [index, [endpoint, body]] of REQUESTS.entries()) {
      await worker.send('jobs', worker.job(`job-${index}`, body, { endpoint, model: 'minilm' }));
    }
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(worker.lines.at(-1)).toMatchObject({
      Messages: REQUESTS.length,
      JobsSucceeded: REQUESTS.length,
      JobItems: 8,
    });
    for (const [index, [endpoint, body]] of REQUESTS.entries()) {
      const { result } = (await worker.read(`job-${index}`)) ?? {};
      const text = result?.kind === 'payload' ? await worker.servers.textOf(result.payload.key) : inlineJson(result);
      expect(text).toBe(await synchronous(endpoint, body));
    }
  });

  it('have the same results as lines of a batch', async () => {
    await worker.createBatch({ model: 'minilm' });
    const bodies = REQUESTS.slice(0, 3).map(([, body]) => body);
    const lines = bodies.map((body, index) =>
      JSON.stringify({ custom_id: String(index), method: 'POST', url: '/v1/embeddings', body }),
    );
    await worker.send('chunks', { ...(await worker.chunkOf(lines)), model: 'minilm' });
    await worker.work('chunks');
    const written = (await worker.part('output')).trimEnd().split('\n');
    for (const [index, body] of bodies.entries()) {
      expect(written[index]).toContain(`"body":${await synchronous('/v1/embeddings', body)}}`);
    }
    expect(written).toHaveLength(bodies.length);
  });
});

function inlineJson(result: JobResult | undefined): string | undefined {
  return result?.kind === 'inline' && 'json' in result ? result.json : undefined;
}
