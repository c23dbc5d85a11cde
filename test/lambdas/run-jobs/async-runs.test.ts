import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { SENTENCE_EMBEDDING } from '../../../core/protocols/tei-embed.ts';
import type { AsyncEndpoint } from '../../../lambdas/shared/predictors/async-endpoint.ts';
import { decodeInferRequest, encodeInferResponse } from '../../../local/services/sagemaker/infer-codec.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { embeddingsLine, startWorker, type Worker } from './worker.ts';

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

/** Runs before a submission returns. */
let onSubmitted: (index: number) => Promise<void>;

const ENDPOINT: AsyncEndpoint = {
  submit: async (version, message, { inferenceId }) => {
    const index = submitted.push({ version, message, inferenceId }) - 1;
    await onSubmitted(index);
    return placesOf(index);
  },
};

beforeEach(async () => {
  submitted = [];
  onSubmitted = async () => undefined;
  worker = await startWorker({ asyncEndpoint: ENDPOINT });
});

afterEach(() => worker.close());

/** Responds to a request as the container would, and notifies unless a test wants the notification lost. */
async function answer(index: number, notifies = true): Promise<void> {
  const { message, version } = submitted[index] ?? {
    version: '1',
    message: { contentType: '', body: new Uint8Array() },
  };
  const request = decodeInferRequest(message);
  const { predictor } = await worker.deps.inference.versions.open(version);
  const outputs = await predictor.run(request.inputs);
  const { body, contentType } = encodeInferResponse(request, { model: 'words', version: '1', outputs });
  await worker.deps.payloads.put(placesOf(index).output.key, body, contentType);
  if (notifies) await notify(index);
}

const notify = (index: number) =>
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
  it('keeps no function waiting, and is resumed when the endpoint has completed all of its requests', async () => {
    await worker.send('jobs', worker.job('a', embeddings(['x', 'y z'])));
    await worker.work();
    expect(submitted.length).toBeGreaterThan(0);
    expect(await worker.read('a')).toMatchObject({ status: 'running', attempts: 1 });
    expect(await waiting('jobs')).toEqual({ ready: 0, delayed: 1 });

    for (const index of submitted.keys()) await answer(index);
    for (let left = submitted.length; left > 0; left--) await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1, items: 2 });
    expect(worker.notifier.jobs).toMatchObject([{ id: 'a' }]);
    // The message that would have polled is still there; it will find the job completed.
    expect(await waiting('jobs')).toEqual({ ready: 0, delayed: 1 });
  });

  it('speaks the protocol of a container for text embeddings', async () => {
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
      await notify(index);
    }
    for (let left = submitted.length; left > 0; left--) await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1, items: 2 });
  });

  it('is polled if the notification of the endpoint is lost', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await answer(0, false);
    await worker.send('jobs', job);
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(submitted).toHaveLength(1);
  });

  it('is submitted again after the endpoint has failed', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await worker.deps.payloads.put(placesOf(0).failure.key, 'no', 'text/plain');
    await notify(0);
    await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'running', lastError: { code: 'BAD_GATEWAY' } });
    await worker.send('jobs', job);
    await worker.work();
    expect(submitted).toHaveLength(2);
  });

  it('fails the attempt with TIMEOUT if the endpoint never responds', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    worker.clock.nowMs += 8 * 3_600_000;
    await worker.send('jobs', job);
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ lastError: { code: 'TIMEOUT' } });
  });

  it('stays canceled if the endpoint responds afterwards', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await worker.deps.jobs.cancel(job);
    await answer(0);
    await worker.work();
    expect(await worker.work()).toEqual({ batchItemFailures: [] });
    expect(await worker.read('a')).toMatchObject({ status: 'canceled' });
  });

  it('fails without a request to the endpoint if its input is wrong', async () => {
    await worker.send('jobs', worker.job('a', embeddings([])));
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'failed', error: { code: 'INPUT_EMPTY' } });
    expect(submitted).toHaveLength(0);
  });

  it('needs no endpoint for results that the cache holds', async () => {
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

  it.each(['', 'a1b2c3.'])(
    'ignores notifications about requests that it does not know, named x.%s0',
    async (submission) => {
      await worker.send('jobs', { eventSource: 'aws:sagemaker', inferenceId: `${'x'.repeat(43)}.${submission}0` });
      expect(await worker.work()).toEqual({ batchItemFailures: [] });
    },
  );

  it('calls the endpoint although the cache holds the results, if its caller said no-store', async () => {
    for (const id of ['a', 'b']) {
      const before = submitted.length;
      await worker.send('jobs', worker.job(id, embeddings(['x', 'y z']), { cacheControl: 'no-store' }));
      await worker.work();
      expect(submitted.length).toBeGreaterThan(before);
      for (let index = before; index < submitted.length; index++) await answer(index);
      for (let left = submitted.length - before; left > 0; left--) await worker.work();
      await worker.work();
      expect(await worker.read(id)).toMatchObject({ status: 'succeeded' });
    }
    await worker.send('jobs', worker.job('c', embeddings(['x', 'y z'])));
    await worker.work();
    expect(await worker.read('c')).toMatchObject({ status: 'running' });
  });

  it('succeeds immediately if the endpoint responds and notifies before the submission returns', async () => {
    onSubmitted = async (index) => {
      await answer(index);
      await worker.work();
    };
    await worker.send('jobs', worker.job('a', embeddings('x')));
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(submitted).toHaveLength(1);
  });

  it('is resumed once, however often the endpoint notifies about its only request', async () => {
    await worker.send('jobs', worker.job('a', embeddings('x')));
    await worker.work();
    await answer(0);
    await notify(0);
    await worker.work();
    expect(await waiting('jobs')).toEqual({ ready: 1, delayed: 1 });
  });

  it('ignores notifications about a submission that a later one has replaced', async () => {
    const job = worker.job('a', embeddings('x'));
    await worker.send('jobs', job);
    await worker.work();
    await worker.deps.payloads.put(placesOf(0).failure.key, 'no', 'text/plain');
    await worker.send('jobs', job);
    await worker.work(); // It fails, and the run is forgotten.
    await worker.send('jobs', job);
    await worker.work(); // It is submitted again.
    expect(submitted).toHaveLength(2);
    const before = await waiting('jobs');
    await notify(0);
    await worker.work();
    expect(await waiting('jobs')).toEqual(before);
  });

  it('fails with the reason of the model when it refuses the inputs twice, and the job beside it succeeds', async () => {
    const refuse = async (index: number) => {
      const text = `onnx runtime error 2: Non-zero status code returned while running Add node. Name:'sum' Status Message: 2 by 3`;
      const body = JSON.stringify({ error: text });
      await worker.deps.payloads.put(placesOf(index).failure.key, body, 'application/json');
      await notify(index);
    };
    await worker.send('jobs', worker.job('bad', embeddings('x')));
    await worker.work();
    await refuse(0);
    await worker.work(); // The notification is read.
    await worker.work(); // The request is submitted once more: it may have run together with another.
    expect(submitted).toHaveLength(2);
    await refuse(1);
    await worker.work();
    await worker.work();
    expect(await worker.read('bad')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'INVALID_TENSOR', message: 'the model refused the inputs: its node Add (sum) failed: 2 by 3' },
    });
    expect(submitted).toHaveLength(2);
  });

  it('fails with ANSWER_TOO_LARGE if the response is larger than the declared outputs can be', async () => {
    const outputs = [{ name: 'last_hidden_state', datatype: 'FP32', shape: [1, 3, 4] }];
    Object.assign(worker.deps.inference.packed.versions['1'] ?? {}, { outputs });
    await worker.send('jobs', worker.job('a', embeddings('x')));
    await worker.work();
    await worker.deps.payloads.put(placesOf(0).output.key, new Uint8Array(1_000_000), 'application/octet-stream');
    await notify(0);
    await worker.work();
    await worker.work();
    expect(await worker.read('a')).toMatchObject({
      status: 'failed',
      error: { code: 'ANSWER_TOO_LARGE', message: expect.stringContaining('65920 bytes') },
    });
  });
});

describe('a chunk on an asynchronous endpoint', () => {
  it('submits its lines together, and keeps no function waiting', async () => {
    await worker.createBatch();
    const line = (id: string) => embeddingsLine(id, `text ${id}`);
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

  it('may be polled more often than a worker may crash', async () => {
    await worker.createBatch();
    const chunk = await worker.chunkOf([embeddingsLine('a', 'x')]);
    for (let poll = 0; poll <= worker.deps.maxReceiveCount; poll++) {
      await worker.send('chunks', chunk, { receives: { DataType: 'String', StringValue: `${poll}/` } });
      await worker.work('chunks');
      worker.clock.nowMs += 900_000;
    }
    await answer(0);
    await worker.work();
    await worker.work('chunks');
    expect(submitted).toHaveLength(1);
    expect(await worker.batch()).toMatchObject({ chunksDone: 1, counts: { completed: 1, failed: 0 } });
  });
});

/** Counts the requests to S3 and DynamoDB while `work` runs. */
async function requestsOf(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const counting = { step: 'build', name: 'countRequests' } as const;
  const s3 = worker.servers.s3.middlewareStack;
  const dynamoDb = worker.tables.client.middlewareStack;
  s3.add(
    (next) => (args) => {
      count += 1;
      return next(args);
    },
    counting,
  );
  dynamoDb.add(
    (next) => (args) => {
      count += 1;
      return next(args);
    },
    counting,
  );
  await work();
  s3.remove(counting.name);
  dynamoDb.remove(counting.name);
  return count;
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

/** Runs a job that needs as many requests to its endpoint as it has texts, one notification an invocation. */
async function requestsToRun(
  id: string,
  lengths: readonly number[],
): Promise<{ invocations: number; requests: number }> {
  const first = submitted.length;
  // The length of a word is its token. Each text fills a request to the endpoint.
  const input = lengths.map((length) => `${'x'.repeat(length)}${' word'.repeat(12)}`);
  await worker.send('jobs', worker.job(id, embeddings(input)));
  const requests = await requestsOf(async () => {
    await worker.work();
    for (let index = first; index < submitted.length; index++) {
      await answer(index);
      await worker.work();
    }
    await worker.work();
  });
  expect(await worker.read(id)).toMatchObject({ status: 'succeeded', items: lengths.length });
  return { invocations: submitted.length - first, requests };
}

describe('the cost of a run on an asynchronous endpoint', () => {
  it('is one write for all notifications that arrive together', async () => {
    Object.assign(worker.deps.inference.packed.manifest.batching, { maxTokens: 16 });
    const input = range(1, 6).map((length) => `${'x'.repeat(length)}${' word'.repeat(12)}`);
    await worker.send('jobs', worker.job('a', embeddings(input)));
    await worker.work();
    expect(submitted).toHaveLength(6);
    for (const index of submitted.keys()) await answer(index);
    // The write, and the record of the run that is resumed.
    expect(await requestsOf(() => worker.work())).toBe(2);
    await worker.work();
    expect(await worker.read('a')).toMatchObject({ status: 'succeeded', items: 6 });
  });

  it('grows with the number of its requests, and not with their square', async () => {
    Object.assign(worker.deps.inference.packed.manifest.compute, { maxBatchTokens: 16 });
    Object.assign(worker.deps.inference.packed.manifest.batching, { maxTokens: 16 });
    const few = await requestsToRun('a', range(1, 10));
    const many = await requestsToRun('b', range(11, 50));
    expect(few.invocations).toBeGreaterThanOrEqual(10);
    expect(many.invocations).toBeGreaterThanOrEqual(4 * few.invocations - 3);
    const perInvocation = (many.requests - few.requests) / (many.invocations - few.invocations);
    // The response is written by the test and read once, and its notification is one write.
    expect(perInvocation).toBeLessThanOrEqual(4);
  });
});
