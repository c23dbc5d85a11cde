import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FIRST_PLACE, type StepMessage } from '../../../core/batches/step-message.ts';
import type { ChunkMessage } from '../../../core/jobs/job-message.ts';
import type { MessageQueue } from '../../../core/jobs/message-queue.ts';
import { createHandler as createProcessor } from '../../../lambdas/process-batches/handler.ts';
import { createHandler as createWorker } from '../../../lambdas/run-jobs/handler.ts';
import { openChunkProgressStore } from '../../../lambdas/shared/batches/chunk-progress-store.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { lambdaContext } from '../events.ts';
import { openUnwatchedNotes } from '../run-jobs/unwatched-notes.ts';
import { serveInMemory, textModel } from '../serve-model/memory-deps.ts';
import { eventOf, OWNER, withoutPauses } from '../shared/jobs/jobs-harness.ts';
import { type Gate, Interleaving } from './interleaving.ts';
import { type Processor, startProcessor } from './processor.ts';

const SPLIT: StepMessage = { v: 1, kind: 'split', owner: OWNER, batchId: 'batch_1' };
const RESEND: StepMessage = { ...SPLIT, resend: FIRST_PLACE };

/** Tries of a chunk, as many as `maxReceiveCount` of the model's queues. */
const MAX_TRIES = 3;

let processor: Processor;
beforeEach(async () => {
  processor = await startProcessor();
});
afterEach(() => processor.close());

/** A message and how often it was delivered. */
interface Delivery<M> {
  readonly message: M;
  readonly receives: number;
}

/** The fate of the next delivery of a message. */
interface Fate {
  /** Whether a second worker gets the message as well. */
  readonly isDuplicated: boolean;
  /** Calls after which the worker is lost; null if it is not. */
  readonly lostAfter: number | null;
  /** Whether the message of a lost worker is gone too, so that only a sweep helps. */
  readonly isGone: boolean;
}

const CALM: Fate = { isDuplicated: false, lostAfter: null, isGone: false };

/** A batch of which every function runs interleaved with the others. */
class Batch {
  readonly actors = new Interleaving();
  readonly #memory = serveInMemory({ packed: textModel({ id: 'minilm' }) });
  #started = 0;

  /** Cuts a file of three chunks. Each has a line that fails. */
  async open(): Promise<readonly string[]> {
    const ids = Array.from({ length: 9 }, (_, at) => `line-${at}`);
    // A chunk holds 200 lines, blank ones included.
    const text = ids.map((id, at) => `${requestOf(id, at % 3 === 1 ? '' : id)}${at % 3 === 2 ? '\n'.repeat(197) : ''}`);
    await processor.createBatch(text.join(''));
    await processor.invoke(SPLIT);
    expect(await processor.batch()).toMatchObject({ chunks: 3, splitDone: true });
    return ids;
  }

  /** Starts a function for each message of the two queues. */
  async poll(fate: () => Fate): Promise<void> {
    for (const message of await processor.takeJson<ChunkMessage>('chunks')) {
      await this.deliver({ message, receives: 1 }, fate);
    }
    for (const message of await processor.takeJson<StepMessage>('steps')) {
      await this.deliver({ message, receives: 1 }, fate);
    }
  }

  async deliver({ message, receives }: Delivery<ChunkMessage | StepMessage>, fate: () => Fate): Promise<void> {
    const { isDuplicated, lostAfter, isGone } = fate();
    const run = message.kind === 'chunk' ? this.#worker(message, receives) : this.#step(message);
    const name = message.kind === 'chunk' ? `chunk ${message.index}` : message.kind;
    const onLost = () => {
      if (!isGone) this.lost.push({ message, receives: receives + 1 });
    };
    const loss = lostAfter === null ? undefined : { afterCalls: lostAfter, onLost };
    await this.actors.start(`${++this.#started} ${name}`, run, loss);
    if (isDuplicated) await this.actors.start(`${++this.#started} ${name}`, run);
  }

  /** Deliveries of lost workers, which are delivered again. */
  readonly lost: Delivery<ChunkMessage | StepMessage>[] = [];

  /** Starts a worker for a chunk under a name. */
  startWorker(actor: string, message: ChunkMessage): Promise<void> {
    return this.actors.start(actor, this.#worker(message, 1));
  }

  async cancel(): Promise<void> {
    await processor.batches.change(OWNER, 'batch_1', {
      set: { status: 'cancelling', cancellingAtMs: processor.clock.nowMs },
      statusIn: ['validating', 'in_progress'],
    });
  }

  /** Ends everything that is still to do, without further faults: a sweep has the chunks sent again that have no message. */
  async complete(): Promise<void> {
    for (let sweeps = 0; sweeps < 5; sweeps++) {
      for (let isIdle = false; !isIdle; ) {
        while (this.actors.waiting.length > 0) await this.actors.step(0);
        for (const delivery of this.lost.splice(0)) await this.deliver(delivery, () => CALM);
        await this.poll(() => CALM);
        isIdle = this.actors.waiting.length === 0;
      }
      if ((await processor.batch()).notifiedAtMs !== undefined) return;
      await this.deliver({ message: RESEND, receives: 1 }, () => CALM);
    }
    throw new Error(`the batch never ends: ${JSON.stringify(await processor.batch())}`);
  }

  #step(message: StepMessage): (gate: Gate) => Promise<unknown> {
    const { deps } = processor;
    const chunks = deps.chunksOf('minilm');
    if (chunks === undefined) throw new Error('the model has no queue');
    // Steps that are sent with a delay wait for no time.
    const steps: MessageQueue = { ...deps.steps, send: (step) => deps.steps.send(step) };
    return (gate) => {
      const run = createProcessor({
        ...deps,
        batches: gate('batches', deps.batches),
        files: gate('files', deps.files),
        objects: gate('objects', deps.objects),
        steps: gate('steps', steps),
        notifier: gate('notifier', deps.notifier),
        chunksOf: () => gate('chunks', chunks),
      });
      return run(eventOf([message]), { ...lambdaContext(), getRemainingTimeInMillis: () => 600_000 });
    };
  }

  #worker(message: ChunkMessage, receives: number): (gate: Gate) => Promise<unknown> {
    const { batches, payloads, store, servers, urls, deps, jobs, notifier } = processor;
    const { packed, task, ports, versions, traffic, cache } = this.#memory.deps;
    const queue = withoutPauses(openSqsWorkQueue(servers.sqs, urls.chunks), []);
    return (gate) => {
      const run = createWorker({
        inference: {
          packed,
          versions,
          traffic,
          task,
          ports,
          cache,
          timer: () => performance.now(),
          clock: processor.clock,
        },
        jobs,
        chunks: gate('batches', batches),
        progress: gate('progress', openChunkProgressStore(store)),
        notes: openUnwatchedNotes(store),
        payloads: gate('payloads', payloads),
        notifier,
        queues: { jobs: queue, chunks: queue },
        batchSteps: gate('steps', deps.steps),
        deadLetters: gate('deadLetters', { add: async () => undefined }),
        maxReceiveCount: MAX_TRIES,
        random: () => 0,
        stage: 'dev',
        metricsNamespace: 'Tensorgate',
        metrics: 'basic',
        write: processor.write,
        takeCacheFailures: () => [],
      });
      return run(eventOf([message], receives), { ...lambdaContext(), getRemainingTimeInMillis: () => 60_000 });
    };
  }
}

function requestOf(id: string, input: string): string {
  const body = { model: 'minilm', input };
  return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/embeddings', body })}\n`;
}

/** Takes the message of the first chunk. A sweep has the others sent again. */
async function firstChunk(): Promise<ChunkMessage> {
  const chunk = (await processor.takeJson<ChunkMessage>('chunks')).find(({ index }) => index === 0);
  if (chunk === undefined) throw new Error('the chunk was not sent');
  return chunk;
}

/** The lines of one of the two files of the batch. */
async function linesOf(fileId: string | undefined) {
  if (fileId === undefined) return [];
  const lines = (await processor.textOf(fileId)).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { custom_id: string; error: { code: string } | null });
}

/** Checks the outcome of a batch that has ended. */
async function expectWhole(ids: readonly string[]): Promise<void> {
  const batch = await processor.batch();
  const [output, errors] = [await linesOf(batch.outputFileId), await linesOf(batch.errorFileId)];
  expect([...output, ...errors].map(({ custom_id: id }) => id).sort()).toEqual([...ids].sort());
  expect(batch.counts).toEqual({ completed: output.length, failed: errors.length });
  const isLate = (batch.merge?.startedAtMs ?? 0) >= batch.windowEndsAtMs && errors.length > 0;
  const isCanceled = batch.cancellingAtMs !== undefined;
  expect(batch.status).toBe(isCanceled ? 'cancelled' : isLate ? 'expired' : 'completed');
  expect(processor.notifier.batches.map(({ status }) => status)).toContain(batch.status);
}

describe('a batch', () => {
  const fate = fc.record({
    isDuplicated: fc.boolean(),
    lostAfter: fc.option(fc.nat(12)),
    isGone: fc.boolean(),
  });
  const plan = fc.record({
    fates: fc.array(fate, { minLength: 4, maxLength: 12, size: 'max' }),
    turns: fc.array(fc.nat(), { maxLength: 100, size: 'max' }),
    events: fc.subarray(['cancel', 'window', 'resend', 'resend'] as const),
  });

  test('keeps the results of the worker that is recorded first if it is canceled between two workers of a chunk', async () => {
    const batch = new Batch();
    const ids = await batch.open();
    const chunk = await firstChunk();
    await batch.startWorker('early', chunk);
    await batch.actors.runUntil('early', 'payloads.get');
    await batch.cancel();
    await batch.startWorker('late', chunk);
    await batch.actors.runUntil('late', 'payloads.put');
    await batch.actors.runToEnd('early');
    await batch.actors.runToEnd('late');
    await batch.complete();
    await expectWhole(ids);
    expect(await processor.batch()).toMatchObject({ counts: { completed: 2, failed: 7 } });
  });

  test('loses no line if the worker that saw the cancellation is recorded first', async () => {
    const batch = new Batch();
    const ids = await batch.open();
    const chunk = await firstChunk();
    await batch.startWorker('early', chunk);
    await batch.actors.runUntil('early', 'payloads.put');
    await batch.cancel();
    await batch.startWorker('late', chunk);
    await batch.actors.runToEnd('late');
    await batch.actors.runToEnd('early');
    await batch.complete();
    await expectWhole(ids);
    expect(await processor.batch()).toMatchObject({ counts: { completed: 0, failed: 9 } });
  });

  test('counts the requests of a chunk that no worker can run, and none of its blank lines', async () => {
    const batch = new Batch();
    const ids = await batch.open();
    const message = await firstChunk();
    for (let receives = 1; receives <= MAX_TRIES; receives++) {
      await batch.deliver({ message, receives }, () => ({ ...CALM, lostAfter: 4, isGone: true }));
      while (batch.actors.waiting.length > 0) await batch.actors.step(0);
    }
    await batch.deliver({ message, receives: MAX_TRIES + 1 }, () => CALM);
    await batch.complete();
    await expectWhole(ids);
    expect(await processor.batch()).toMatchObject({ status: 'completed', counts: { completed: 4, failed: 5 } });
  });

  test('has each request in exactly one file, however cancels, duplicates, losses and sweeps are interleaved', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ fates, turns, events }) => {
        await processor.close();
        processor = await startProcessor();
        const batch = new Batch();
        const ids = await batch.open();
        const left = [...fates];
        const next = () => left.shift() ?? CALM;
        const happen = {
          cancel: () => batch.cancel(),
          resend: () => batch.deliver({ message: RESEND, receives: 1 }, next),
          window: async () => {
            processor.clock.nowMs = (await processor.batch()).windowEndsAtMs;
          },
        };
        const happening = [...events];
        await batch.poll(next);
        for (const turn of turns) {
          const { waiting } = batch.actors;
          const at = turn % (waiting.length + 3);
          const event = at === waiting.length ? happening.shift() : undefined;
          const delivery = at === waiting.length + 1 ? batch.lost.shift() : undefined;
          if (at < waiting.length) await batch.actors.step(at);
          else if (event !== undefined) await happen[event]();
          else if (delivery !== undefined) await batch.deliver(delivery, next);
          else await batch.poll(next);
        }
        await batch.complete();
        await expectWhole(ids);
      }),
      // The same interleavings in each run, so that a failure comes from a change.
      { numRuns: 25, seed: 1 },
    );
  });
});
