import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type OpenDepsOptions, openDeps } from '../../../lambdas/run-jobs/deps.ts';
import { packModel } from '../../../onnx/pack/pack-model.ts';

describe('openDeps', () => {
  const modelFolder = mkdtempSync(join(tmpdir(), 'tensorgate-run-jobs-deps-'));
  beforeAll(async () => {
    await packModel(join(import.meta.dirname, '..', '..', '..', 'models', 'minilm'), modelFolder);
  });
  afterAll(() => rmSync(modelFolder, { recursive: true }));

  const options = (ownQueues: OpenDepsOptions['settings']['ownQueues']): OpenDepsOptions => ({
    modelFolder,
    memoryMiB: 1769,
    watchdogFile: join(import.meta.dirname, '../../../lambdas/run-jobs/watchdog-thread.ts'),
    settings: {
      stage: 'test',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic' as const,
      jobsTable: 'jobs',
      payloadBucket: 'payloads',
      ownQueues,
      ...{ batchesQueue: 'https://queues/batches', webhooksQueue: 'https://queues/webhooks' },
      ...{
        deadLettersQueue: 'https://queues/dead-letters',
        eventBus: 'bus',
        queuesPath: '/queues',
        maxReceiveCount: 4,
      },
    },
  });

  it('opens the model and the queues that are its own', async () => {
    const own = { jobs: 'https://queues/jobs-minilm', chunks: 'https://queues/chunks-minilm' };
    const deps = await openDeps(options(own));
    expect(deps.inference.packed.manifest.id).toBe('minilm');
    expect({ jobs: deps.queues.jobs.url, chunks: deps.queues.chunks.url }).toEqual(own);
    expect(deps.maxReceiveCount).toBe(4);
    expect(deps.takeCacheFailures()).toEqual([]);
  });
});
