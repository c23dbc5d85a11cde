import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SERVE_BATCHES } from '../../../core/functions/functions.ts';
import { readSettings, renderSettings } from '../../../core/functions/settings.ts';
import { openDeps } from '../../../lambdas/serve-batches/deps.ts';
import { JOBS, PAYLOADS, type QueuesAndBuckets, startQueuesAndBuckets } from '../shared/jobs/job-servers.ts';

let servers: QueuesAndBuckets;
const before = { ...process.env };

beforeAll(async () => {
  servers = await startQueuesAndBuckets();
  // The environment variables of Lambda. Local mode names its own servers the same way.
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: servers.url,
  });
});

afterAll(async () => {
  process.env = before;
  await servers.close();
});

describe('openDeps', () => {
  it('opens S3 and SQS once, when they are first needed', async () => {
    const queue = await servers.createQueue('batches');
    const variables = renderSettings({
      stage: 'dev',
      metricsNamespace: 'Tensorgate',
      metrics: 'basic' as const,
      jobsTable: JOBS,
      payloadBucket: PAYLOADS,
      batchesQueue: queue,
      fileRetentionDays: 30,
      maxFileBytes: 1000,
      webhooksTable: 'webhooks',
    });
    const deps = openDeps(
      readSettings(variables, SERVE_BATCHES.settings, {
        modelIds: ['minilm'],
        taskModels: { embedding: ['minilm'] },
      }),
    );
    const { objects, payloads } = await deps.storage();
    expect((await deps.storage()).objects).toBe(objects);
    await objects.write('files/key-1/file-1', Buffer.from('{}\n'), 'application/jsonl');
    const address = await payloads.presignGet('files/key-1/file-1', { expiresSeconds: 60 });
    expect(await (await fetch(address)).text()).toBe('{}\n');
    const put = await objects.presignPut('files/key-1/file-2', { bytes: 2, expiresSeconds: 60 });
    // A checksum in the address would be that of no bytes.
    expect(put).not.toMatch(/checksum|sdk-checksum/i);
    await (await deps.steps()).send({ owner: 'acme' });
    expect(await servers.receive(queue)).toMatchObject([{ Body: '{"owner":"acme"}' }]);
    expect(deps.entropy(16)).toHaveLength(16);
    expect(deps.timer()).toBeGreaterThan(0);
  });
});
