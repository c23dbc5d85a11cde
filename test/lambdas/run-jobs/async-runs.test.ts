import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { SENTENCE_EMBEDDING } from '../../../core/tasks/embedding/embedding-model.ts';
import type { AsyncEndpoint } from '../../../lambdas/shared/predictors/async-endpoint.ts';
import { decodeInferRequest, encodeInferAnswer } from '../../../local/services/sagemaker/infer-codec.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { OWNER, startWorker, type Worker } from './worker.ts';

/** A request that the endpoint took. */
interface Submitted {
  readonly version: string;
  readonly message: ContainerMessage;
  readonly inferenceId: string;
}

let worker: Worker;
let submitted: Submitted[];

const placesOf = (index: number) => ({
  output: { bucket: PAYLOADS, key: `invocations/outputs/${index}` },
  failure: { bucket: PAYLOADS, key: `invocations/failures/${index}` },
});

const ENDPOINT: AsyncEndpoint = {
  submit: async (version, message, { inferenceId }) => {
    submitted.push({ version, message, inferenceId });
    return placesOf(submitted.length - 1);
  },
};

beforeEach(async () => {
  submitted = [];
  worker = await startWorker({ asyncEndpoint: ENDPOINT });
});

afterEach(() => worker.close());

/** Answers a request as the container would, and tells of it where a test wants that. */
async function answer(index: number, isTold = true): Promise<void> {
  const { message, version } = submitted[index] ?? {
    version: '1',
    message: { contentType: '', body: new Uint8Array() },
  };
  const request = decodeInferRequest(message);
  const { predictor } = await worker.deps.inference.versions.open(version);
  const outputs = await predictor.run(request.inputs);
  const { body, contentType } = encodeInferAnswer(request, { model: 'words', version: '1', outputs });
  await worker.deps.payloads.put(placesOf(index).output.key, body, contentType);
  if (isTold) await tell(index);
}

const tell = (index: number) =>
  worker.send('jobs', { eventSource: 'aws:sagemaker', inferenceId: submitted[index]?.inferenceId });

async function waiting(queue: 'jobs' | 'chunks'): Promise<{ ready: number; delayed: number }> {
  const { Attributes: attributes = {} } = await worker.servers.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: worker.urls[queue], AttributeNames: ['All'] }),
  );
  return {
    ready: Number(attributes['ApproximateNumberOfMessages']),
    delayed: Number(attributes['ApproximateNumberOfMessagesDelayed']),
  };
}

const embeddings = (input: unknown) => ({ model: 'words', input });

describe('a job on an asynchronous endpoint', () => {
  it('waits in no function, and goes on when the endpoint has answered all', async () => {
    await worker.send('jobs', worker.job('a', embeddings(['x', 'y z'])));
    await worker.work();
    expect(submitted.length).toBeGreaterThan(0);
    expect(await worker.read('a')).toMatchObject({ status: 'running', attempts: 1 });
    expect(await waiting('jobs')).toEqual({ ready: 0, delayed: 1 });

    for (const index of submitted.keys()) await answer(index);
    for (let left = submitted.length; left > 0; left--) await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1, items: 2 });
    expect(worker.notifier.told).toMatchObject([{ id: 'a' }]);
    // What would have looked after it is still there; it finds the job ended.
    expect(await waiting('jobs')).toEqual({ ready: 0, delayed: 1 });
  });

  it('asks a container of text embeddings in its own words', async () => {
    const { packed } = worker.deps.inference;
    const compute = { ...packed.manifest.compute, target: 'sagemaker', mode: 'async', container: 'tei' };
    Object.assign(packed.manifest, { compute });
    const outputs = [{ name: SENTENCE_EMBEDDING, datatype: 'FP32', shape: [-1, 3] }];
    Object.assign(packed.versions['1'] ?? {}, { outputs });
    await worker.send('jobs', worker.job('a', embeddings(['x', 'y z'])));
    await worker.work();
    for (const [index, { message }] of submitted.entries()) {
      const { inputs } = JSON.parse(Buffer.from(message.body).toString()) as { inputs: number[][] };
      const vectors = inputs.map(({ length }) => [length, 0, 0]);
      await worker.deps.payloads.put(placesOf(index).output.key, JSON.stringify(vectors), 'application/json');
      await tell(index);
    }
    for (let left = submitted.length; left > 0; left--) await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1, items: 2 });
  });

  it('is looked after where nobody tells of its end', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await answer(0, false);
    await worker.send('jobs', job);
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(submitted).toHaveLength(1);
  });

  it('is handed over again when the endpoint failed', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await worker.deps.payloads.put(placesOf(0).failure.key, 'no', 'text/plain');
    await tell(0);
    await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'running', lastError: { code: 'BAD_GATEWAY' } });
    await worker.send('jobs', job);
    await worker.work();
    expect(submitted).toHaveLength(2);
  });

  it('is given up when the endpoint never answers', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    worker.clock.nowMs += 8 * 3_600_000;
    await worker.send('jobs', job);
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ lastError: { code: 'TIMEOUT' } });
  });

  it('stays canceled when the endpoint answers afterwards', async () => {
    await worker.send('jobs', worker.job('a', embeddings('x')));
    await worker.work();
    await worker.deps.jobs.cancel({ owner: OWNER, id: 'a' });
    await answer(0);
    await worker.work();
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('a')).toMatchObject({ status: 'canceled' });
  });

  it('fails at once when its input is wrong', async () => {
    await worker.send('jobs', worker.job('a', embeddings([])));
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'failed', error: { code: 'INPUT_EMPTY' } });
    expect(submitted).toHaveLength(0);
  });

  it('asks nothing for what the results cache holds', async () => {
    await worker.send('jobs', worker.job('a', embeddings('x')));
    await worker.work();
    await answer(0);
    await worker.work();
    await worker.work();
    await worker.send('jobs', worker.job('b', embeddings('x')));
    await worker.work();
    expect(await worker.read('b')).toMatchObject({ status: 'succeeded' });
    expect(submitted).toHaveLength(1);
  });

  it('does not stumble over notifications of what it does not know', async () => {
    await worker.send('jobs', { eventSource: 'aws:sagemaker', inferenceId: `${'x'.repeat(43)}.0` });
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
  });
});

describe('a chunk on an asynchronous endpoint', () => {
  it('asks for its lines together, and waits in no function', async () => {
    await worker.createBatch();
    const line = (id: string) =>
      JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/embeddings', body: embeddings(`text ${id}`) });
    const chunk = await worker.chunkOf([line('1'), line('2'), line('3')], { lines: 3 });
    await worker.send('chunks', chunk);
    await worker.work('chunks');
    expect(submitted).toHaveLength(1);
    expect(await worker.batch()).toMatchObject({ chunksDone: 0 });

    await answer(0);
    await worker.work();
    await worker.work('chunks');
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 3, failed: 0 } });
  });
});
