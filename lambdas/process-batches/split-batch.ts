import { isDeepStrictEqual } from 'node:util';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { CHUNK_LIMITS, ChunkPlan, type PlannedChunk, textStart } from '../../core/batches/chunk-plan.ts';
import type { DuplicateLine } from '../../core/batches/custom-ids.ts';
import type { BatchStepMessage, ChunkPlace } from '../../core/batches/step-message.ts';
import { AppError, ERRORS } from '../../core/errors.ts';
import { openFile } from '../../core/files/file-readiness.ts';
import { MAX_BATCH_REQUESTS } from '../../core/files/limits.ts';
import type { JobError, PayloadReference } from '../../core/jobs/job.ts';
import { modelsOf, parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import { modelIdOf } from '../../core/models/model-names.ts';
import { requestMerge } from '../shared/batches/request-merge.ts';
import { CHUNKS_PER_RECORD, isComplete, type StepCall } from './call.ts';
import { checkCustomIds } from './check-custom-ids.ts';
import { failBatch, notifyBatchOnce } from './complete-batch.ts';
import { findFirstRequest } from './first-request.ts';
import { inputOf } from './input-file.ts';
import { resendChunks } from './resend-chunks.ts';
import { numberChunks, sendChunks } from './send-chunks.ts';

/** Bytes of the file that are read with one request. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Why a file cannot be run as a batch. */
type Refusal = JobError & { readonly line?: number };

/** The outcome of splitting a part of the file. */
type Outcome =
  | { readonly kind: 'continued'; readonly batch: BatchRecord }
  /** Another step has changed the record: this one continues from there. */
  | { readonly kind: 'changed'; readonly batch: BatchRecord | undefined }
  | { readonly kind: 'refused'; readonly error: Refusal };

/**
 * Cuts the input file of a batch into chunks and sends them to the model's queue, until time runs out. The next step does
 * the rest. Started again at any point, it sends the same chunks.
 *
 * @throws AppError `FILE_NOT_READY` while the file is being uploaded, and every error of the services.
 */
export async function splitBatch(step: BatchStepMessage, call: StepCall): Promise<void> {
  const { owner, batchId, isSpare, resend } = step;
  let batch = await call.batches.getBatch(owner, batchId);
  if (batch === undefined) return;
  if (isComplete(batch)) return notifyBatchOnce(batch, call);
  if (isSpare === true && batch.inProgressAtMs !== undefined) return;
  // A step that starts late cannot distinguish an endless line from a lack of time.
  if (!call.hasTime()) return continueBatch(batch, call, resend);
  const file = await findInput(batch, call);
  if ('code' in file) return failBatch(batch, [file], call);
  let hasChecked = false;
  if (batch.inProgressAtMs === undefined) {
    const { checked, duplicates } = await checkCustomIds(batch, file, call);
    if (duplicates.length > 0) return failBatch(batch, duplicates.map(duplicate), call);
    if (checked === 'partly') return continueBatch(batch, call, resend);
    hasChecked = checked === 'now';
  }
  const firstSplitAt = batch.splitAt;
  while (!batch.splitDone) {
    const outcome = await splitFrom(batch, file, call);
    if (outcome.kind === 'refused') return failBatch(batch, [outcome.error], call);
    if (outcome.batch === undefined || isComplete(outcome.batch)) return;
    batch = outcome.batch;
    if (!batch.splitDone && !call.hasTime()) {
      if (batch.splitAt === firstSplitAt && !hasChecked) return failBatch(batch, [endless(batch)], call);
      return continueBatch(batch, call, resend);
    }
  }
  if (resend === undefined) return requestMerge(batch, call.steps);
  const rest = await resendChunks(batch, file, resend, call);
  if (rest !== undefined) return continueBatch(batch, call, rest);
  const after = await call.batches.getBatch(owner, batchId);
  if (after !== undefined) await requestMerge(after, call.steps);
}

async function continueBatch({ owner, id }: BatchRecord, { steps }: StepCall, resend?: ChunkPlace): Promise<void> {
  await steps.send({ v: 1, kind: 'split', owner, batchId: id, resend } satisfies BatchStepMessage);
}

/** A file that the batch reads is used until the batch ends, even if it expires meanwhile. */
async function findInput(batch: BatchRecord, call: StepCall): Promise<PayloadReference | Refusal> {
  if (batch.inProgressAtMs !== undefined) return inputOf(batch, call);
  try {
    return (await openFile(batch.owner, batch.inputFileId, call)).payload;
  } catch (error) {
    if (!(error instanceof AppError) || ERRORS[error.code].retryable) throw error;
    return { code: error.code, message: error.message, param: 'input_file_id' };
  }
}

/** Splits from the recorded position, until the time or the file ends. */
async function splitFrom(from: BatchRecord, file: PayloadReference, call: StepCall): Promise<Outcome> {
  let batch = from;
  let position = from.splitAt === 0 ? await findText(file, call) : from.splitAt;
  const plan = new ChunkPlan(position, from.lines + 1, from.chunkLimits);
  let chunks: PlannedChunk[] = [];
  while (position < from.inputBytes && call.hasTime()) {
    const window = await readWindow(file, position, Math.min(position + WINDOW_BYTES, from.inputBytes), call);
    position += window.length;
    chunks.push(...plan.push(window));
    if (chunks.length < CHUNKS_PER_RECORD) continue;
    const outcome = await record(batch, chunks, { isEnd: false, file }, call);
    if (outcome.kind !== 'continued') return outcome;
    batch = outcome.batch;
    chunks = [];
  }
  const isEnd = position >= from.inputBytes;
  if (!isEnd && chunks.length === 0) return { kind: 'continued', batch };
  if (isEnd) chunks.push(...plan.end());
  return record(batch, chunks, { isEnd, file }, call);
}

/** @returns Where the text starts: a byte order mark is not part of the first line. */
async function findText(file: PayloadReference, call: StepCall): Promise<number> {
  const head = await call.objects.read(file.key, 0, 3);
  return textStart(head?.bytes ?? new Uint8Array());
}

async function readWindow(file: PayloadReference, start: number, end: number, call: StepCall): Promise<Uint8Array> {
  const slice = await call.objects.read(file.key, start, end);
  if (slice === undefined || slice.bytes.length < end - start) {
    throw new AppError('INPUT_NOT_FOUND', 'the input file was deleted');
  }
  return slice.bytes;
}

/** Sends chunks, then records that they were sent. A chunk that was sent and not recorded is sent again, which is harmless. */
async function record(
  batch: BatchRecord,
  chunks: readonly PlannedChunk[],
  { isEnd, file }: { readonly isEnd: boolean; readonly file: PayloadReference },
  call: StepCall,
): Promise<Outcome> {
  const started = await startBatch(batch, chunks, { isEnd, file }, call);
  if (started.kind !== 'continued') return started;
  const requests = batch.requests + sum(chunks, 'requests');
  const most = Math.min(MAX_BATCH_REQUESTS, batch.maxRequests ?? MAX_BATCH_REQUESTS);
  if (requests > most) return refused(tooMany(requests, most));
  const numbered = numberChunks(chunks, batch.chunks);
  await sendChunks(started.batch, file, numbered, call);
  const { isDone, batch: after } = await call.batches.change(batch.owner, batch.id, {
    set: {
      splitAt: isEnd ? batch.inputBytes : (chunks.at(-1)?.end ?? batch.splitAt),
      chunks: batch.chunks + numbered.length,
      lines: batch.lines + sum(chunks, 'lines'),
      requests,
      splitDone: isEnd,
    },
    statusIn: ['in_progress', 'cancelling'],
    expect: { splitAt: batch.splitAt, splitDone: false },
  });
  return isDone && after !== undefined ? { kind: 'continued', batch: after } : { kind: 'changed', batch: after };
}

/** Determines the model of the batch, before the first chunk is sent. */
async function startBatch(
  batch: BatchRecord,
  chunks: readonly PlannedChunk[],
  { isEnd, file }: { readonly isEnd: boolean; readonly file: PayloadReference },
  call: StepCall,
): Promise<Outcome> {
  if (batch.inProgressAtMs !== undefined) return { kind: 'continued', batch };
  if (isEnd && sum(chunks, 'requests') === 0) return refused({ code: 'EMPTY_FILE', message: 'the file has no lines' });
  const first = await findFirstRequest(file.key, chunks, call.objects);
  if (first === undefined) return refused(unreadable(chunks));
  const models = modelsOf(parseEndpoint(batch.endpoint), call.settings.taskModels);
  const named = first.model === undefined ? models[0] : modelIdOf(first.model, call.settings.modelAliases);
  const model = batch.model ?? named ?? '';
  const isKnown = call.chunksOf(model) !== undefined && (batch.model !== undefined || models.includes(model));
  if (!isKnown) return refused(unknownModel(first.line, models));
  const now = { model, inProgressAtMs: call.clock.now(), chunkLimits: CHUNK_LIMITS };
  const started = await markStarted(batch, now, call);
  const isHere = started !== undefined && !isComplete(started) && isCutAlike(started, batch);
  return isHere ? { kind: 'continued', batch: started } : { kind: 'changed', batch: started };
}

/** Returns whether the chunks that this step has cut are those of the record: a step of another release may have started it. */
function isCutAlike({ splitAt, chunkLimits = CHUNK_LIMITS }: BatchRecord, before: BatchRecord): boolean {
  return splitAt === before.splitAt && isDeepStrictEqual(chunkLimits, CHUNK_LIMITS);
}

/** A batch that was canceled meanwhile runs as well, because each of its lines becomes an error line. */
async function markStarted(
  { owner, id }: BatchRecord,
  set: Pick<BatchRecord, 'model' | 'inProgressAtMs' | 'chunkLimits'>,
  { batches }: StepCall,
): Promise<BatchRecord | undefined> {
  const expect = { inProgressAtMs: undefined };
  const started = await batches.change(owner, id, {
    set: { ...set, status: 'in_progress' },
    statusIn: ['validating'],
    expect,
  });
  if (started.isDone || started.batch?.status !== 'cancelling') return started.batch;
  return (await batches.change(owner, id, { set, statusIn: ['cancelling'], expect })).batch;
}

function sum(chunks: readonly PlannedChunk[], member: 'lines' | 'requests'): number {
  return chunks.reduce((total, chunk) => total + chunk[member], 0);
}

function refused(error: Refusal): Outcome {
  return { kind: 'refused', error };
}

function tooMany(requests: number, most: number): Refusal {
  const message = `the file holds ${requests} requests and more, at most ${most} are allowed in a batch; split it into several batches`;
  return { code: 'FILE_TOO_LARGE', message };
}

function unreadable(chunks: readonly PlannedChunk[]): Refusal {
  const line = chunks.find(({ requests }) => requests > 0)?.firstLine ?? 1;
  const message = 'no line is a request: each must be a JSON object with custom_id, method, url and body';
  return { code: 'INVALID_LINE', message, line };
}

function unknownModel(line: number, models: readonly string[]): Refusal {
  const known = [...models].sort().join(', ');
  return { code: 'MODEL_NOT_FOUND', message: `body.model must be one of ${known}`, param: 'body.model', line };
}

function duplicate({ line }: DuplicateLine): Refusal {
  const message = 'an earlier line has the same custom_id, which must be unique in a batch';
  return { code: 'DUPLICATE_CUSTOM_ID', message, param: 'custom_id', line };
}

function endless({ lines }: BatchRecord): Refusal {
  return { code: 'INVALID_LINE', message: 'the line is too long to read', line: lines + 1 };
}
