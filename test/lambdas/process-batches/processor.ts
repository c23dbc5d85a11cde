import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { Context, SQSBatchResponse } from 'aws-lambda';
import type { ChunkOutcome } from '../../../core/batches/batch.ts';
import type { BatchRecord } from '../../../core/batches/batch-record.ts';
import type { StepMessage } from '../../../core/batches/step-message.ts';
import type { Upload } from '../../../core/files/upload.ts';
import type { ChunkMessage } from '../../../core/jobs/job-message.ts';
import { payloadKeys } from '../../../core/jobs/payload-keys.ts';
import { createHandler, type ProcessBatchesDeps } from '../../../lambdas/process-batches/handler.ts';
import { openDynamoDbUploadStore } from '../../../lambdas/shared/files/dynamodb-upload-store.ts';
import { openS3FileObjects } from '../../../lambdas/shared/files/s3-file-objects.ts';
import { openWasmMd5 } from '../../../lambdas/shared/files/wasm-md5.ts';
import { openDeadLetters } from '../../../lambdas/shared/queue/dead-letters.ts';
import { openSqsWorkQueue } from '../../../lambdas/shared/queue/sqs-work-queue.ts';
import { lambdaContext } from '../events.ts';
import { PAYLOADS } from '../shared/jobs/job-servers.ts';
import { eventOf, type JobsHarness, OWNER, startJobsHarness } from '../shared/jobs/jobs-harness.ts';
import { clientFor } from '../shared/results/dynamodb-server.ts';

const DAY_MS = 86_400_000;

/** The function that splits and merges batches, with its table, queues and bucket behind sockets. */
export interface Processor extends JobsHarness<'steps' | 'chunks' | 'dead'> {
  readonly deps: ProcessBatchesDeps;
  /** Remaining milliseconds of an invocation, one for each time that the function asks; the last one stays. */
  remaining: number[];
  /** Invokes the function with one message. */
  invoke(step: StepMessage | string, receiveCount?: number): Promise<SQSBatchResponse>;
  /** Takes steps off the queue and runs them until none is visible. */
  runSteps(): Promise<void>;
  /** Records a batch of a file with these bytes. */
  createBatch(text: string, more?: Partial<BatchRecord>): Promise<BatchRecord>;
  batch(): Promise<BatchRecord>;
  /** Runs a chunk as a worker does: each line has a result, or an error if it contains `bad`. */
  work(chunk: ChunkMessage, more?: Partial<ChunkOutcome>): Promise<void>;
  /** Text of a file of the batch. */
  textOf(fileId: string | undefined): Promise<string>;
  upload(more: Partial<Upload>): Promise<Upload>;
}

/** Starts the function with empty tables, queues and bucket. */
export async function startProcessor(): Promise<Processor> {
  const harness = await startJobsHarness<'steps' | 'chunks' | 'dead'>(['steps', 'chunks', 'dead'], 30);
  const { servers, clock, store, batches, files, notifier, write } = harness;
  const settings: S3ClientConfig = {
    ...clientFor(servers.url),
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  };
  const s3 = new S3Client(settings);
  const chunks = harness.queue('chunks');
  const deps: ProcessBatchesDeps = {
    stage: 'dev',
    metricsNamespace: 'Tensorgate',
    metrics: 'basic' as const,
    settings: {
      taskModels: { embedding: ['minilm'] },
      modelAliases: { ada: 'minilm' },
      fileRetentionDays: 30,
      maxReceiveCount: 5,
    },
    batches,
    files,
    notifier,
    clock,
    write,
    uploads: openDynamoDbUploadStore(store),
    objects: openS3FileObjects({ client: s3, bucket: PAYLOADS }),
    openMd5: openWasmMd5,
    steps: harness.queue('steps'),
    chunksOf: (model) => (model === 'minilm' ? chunks : undefined),
    queue: { ...openSqsWorkQueue(harness.servers.sqs, harness.urls.steps), hold: () => undefined },
    deadLetters: openDeadLetters(servers.sqs, harness.urls.dead),
    random: () => 0,
    timer: () => performance.now(),
  };
  const processor: Processor = {
    ...harness,
    deps,
    remaining: [600_000],
    invoke: (step, receiveCount = 1) => {
      const left = [...processor.remaining];
      const context: Context = {
        ...lambdaContext(),
        getRemainingTimeInMillis: () => (left.length > 1 ? left.shift() : left[0]) ?? 0,
      };
      return createHandler(processor.deps)(eventOf([step], receiveCount), context);
    },
    runSteps: async () => {
      for (;;) {
        const steps = await harness.takeJson<StepMessage>('steps');
        if (steps.length === 0) return;
        for (const step of steps) await processor.invoke(step);
      }
    },
    createBatch: async (text, more) => {
      const bytes = Buffer.from(text);
      const payload = { bucket: PAYLOADS, key: payloadKeys.file(OWNER, 'file-1') };
      await deps.objects.write(payload.key, bytes, 'application/jsonl');
      const common = { owner: OWNER, createdAtMs: clock.nowMs, expiresAtMs: clock.nowMs + 30 * DAY_MS };
      const name = { id: 'file-1', filename: 'in.jsonl', purpose: 'batch', status: 'processed' } as const;
      await deps.files.create({ ...common, ...name, bytes: bytes.length, payload });
      return deps.batches.create({
        ...common,
        id: 'batch_1',
        hash: 'h',
        status: 'validating',
        endpoint: '/v1/embeddings',
        inputFileId: 'file-1',
        inputBytes: bytes.length,
        metadata: {},
        errors: [],
        windowEndsAtMs: clock.nowMs + DAY_MS,
        splitAt: 0,
        splitDone: false,
        chunks: 0,
        chunksDone: 0,
        lines: 0,
        requests: 0,
        counts: { completed: 0, failed: 0 },
        ...more,
      });
    },
    batch: async () => {
      const batch = await deps.batches.getBatch(OWNER, 'batch_1');
      if (batch === undefined) throw new Error('the batch is gone');
      return batch;
    },
    work: async ({ owner, batchId, index, file, start, end, firstLine }, more) => {
      const slice = await deps.objects.read(file.key, start, end);
      const lines = Buffer.from(slice?.bytes ?? [])
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '');
      const bad = lines.filter((line) => line.includes('bad'));
      const good = lines.filter((line) => !line.includes('bad'));
      const put = async (key: string, answered: readonly string[]) => {
        const text = answered.map((line) => `${(JSON.parse(line) as { custom_id: string }).custom_id}\n`).join('');
        if (answered.length > 0) await deps.objects.write(key, Buffer.from(text), 'application/jsonl');
      };
      const part = { owner, batchId, index, attempt: more?.attempt };
      await put(payloadKeys.chunkOutput(part), good);
      await put(payloadKeys.chunkErrors(part), bad);
      await deps.batches.finishChunk(owner, batchId, {
        index,
        state: 'done',
        completed: good.length,
        failed: bad.length,
        start,
        end,
        firstLine,
        hasOutput: good.length > 0,
        hasErrors: bad.length > 0,
        ...more,
      });
    },
    textOf: async (fileId) => {
      const file = fileId === undefined ? undefined : await deps.files.get(OWNER, fileId);
      if (file === undefined) throw new Error(`there is no file ${fileId}`);
      return (await servers.textOf(file.payload.key)) ?? '';
    },
    upload: async (more) => {
      const upload: Upload = {
        owner: OWNER,
        id: 'upload_1',
        filename: 'in.jsonl',
        purpose: 'batch',
        mimeType: 'application/jsonl',
        bytes: 0,
        status: 'pending',
        createdAtMs: clock.nowMs,
        expiresAtMs: clock.nowMs + 3_600_000,
        keptUntilMs: clock.nowMs + DAY_MS,
        ...more,
      };
      await deps.uploads.create(upload);
      return upload;
    },
    close: async () => {
      s3.destroy();
      await harness.close();
    },
  };
  return processor;
}

/** Writes a line of a batch file. */
export function lineOf(id: string, model = 'minilm'): string {
  return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/embeddings', body: { model, input: id } })}\n`;
}
