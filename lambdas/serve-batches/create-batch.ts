import { readJsonBody } from '../../core/api/body.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { type BatchRequest, parseBatchRequest } from '../../core/batches/batch-request.ts';
import { openAiBatch } from '../../core/batches/openai-batch.ts';
import type { StepMessage } from '../../core/batches/step-message.ts';
import { AppError } from '../../core/errors.ts';
import type { StoredFile } from '../../core/files/file.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import { openFile } from '../../core/files/file-readiness.ts';
import { COMPLETION_WINDOW_MS } from '../../core/files/limits.ts';
import { type JobEndpoint, modelsOf, parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import { modelIdOf } from '../../core/models/model-names.ts';
import { readCacheControl } from '../../core/results/cache-policy.ts';
import { baseUrlOf } from '../shared/http/caller.ts';
import { headerOf } from '../shared/http/header.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { sha256 } from '../shared/sha256.ts';
import type { Call } from './call.ts';
import { identifyBatch, newBatch } from './repeated-batch.ts';
import { SPARE_STEP_SECONDS } from './step-delay.ts';
import { withinBudgets } from './usage.ts';

/** Serves `POST /v1/batches`. A request that was accepted before returns the same batch. */
export async function createBatch(call: Call): Promise<HttpResult> {
  const request = withHeader(parseBatchRequest(readJsonBody(call.body)), call);
  const endpoint = resolveModel(parseEndpoint(request.endpoint), call);
  checkModel(endpoint, call);
  const hash = hashOf(request);
  const identity = await identifyBatch(call, hash);
  const { present, derivedKey } = identity;
  if (present !== undefined) return resultOf(theSame(present, hash), { derivedKey, isReplayed: true });
  const file = await findInput(request.input_file_id, call);
  const facts = { hash, request, endpoint, file };
  const created = await accept({ ...facts, id: identity.id }, call);
  if (created.hash === hash || identity.isChosen) return resultOf(theSame(created, hash), { derivedKey });
  // The batch of the derived key was deleted, and its tombstone keeps the id.
  const { id } = newBatch(call);
  return resultOf(theSame(await accept({ ...facts, id }, call), hash), {});
}

/**
 * Accepts a batch.
 *
 * A spare step is sent first, held back until this function is surely over: a crash at any point leaves nothing accepted,
 * or a batch that is split. The step that splits it right away follows the record, and may fail.
 *
 * @returns The record that has the id; that of another request has another hash.
 */
async function accept(facts: BatchFacts, call: Call): Promise<BatchRecord> {
  const { id } = facts;
  const steps = await call.steps();
  const step: StepMessage = { v: 1, kind: 'split', owner: call.owner, batchId: id };
  await steps.send({ ...step, isSpare: true } satisfies StepMessage, { delaySeconds: SPARE_STEP_SECONDS });
  const charge = { opens: { kind: 'openBatches', id } } as const;
  const described = describe(call, facts);
  const created = await withinBudgets(call, charge, () => call.batches.create(described, call.budgets));
  if (created.hash !== facts.hash) return created;
  await steps.send(step).catch((error: unknown) => call.note('the batch is split by its spare step', error));
  return created;
}

/** OpenAI's clients can send headers with every request, but no member that they do not know. */
function withHeader(request: BatchRequest, { event }: Call): BatchRequest {
  return { ...request, cache_control: request.cache_control ?? readCacheControl(headerOf(event, 'cache-control')) };
}

/** An endpoint may name its model by an alias. */
function resolveModel(endpoint: JobEndpoint, { settings }: Call): JobEndpoint {
  return endpoint.model === undefined
    ? endpoint
    : { ...endpoint, model: modelIdOf(endpoint.model, settings.modelAliases) };
}

/** @throws AppError `MODEL_NOT_FOUND` when the deployment has no model for the endpoint. */
function checkModel(endpoint: JobEndpoint, { settings }: Call): void {
  const { model } = endpoint;
  const isServed =
    model === undefined ? modelsOf(endpoint, settings.taskModels).length > 0 : settings.modelIds.includes(model);
  if (isServed) return;
  const known = [...settings.modelIds].sort().join(', ');
  throw new AppError('MODEL_NOT_FOUND', `endpoint names no model of this deployment, known are ${known}`, {
    param: 'endpoint',
  });
}

/** The order of metadata is irrelevant. Members that later releases added count only if present, so that hashes stay. */
function hashOf(request: BatchRequest): string {
  const { endpoint, input_file_id: file, metadata, output_expires_after: expiry, cache_control: cache } = request;
  const pairs = Object.entries(metadata ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  const added = cache === undefined ? [] : [cache];
  return sha256(Buffer.from(JSON.stringify(['batch/1', endpoint, file, pairs, expiry?.seconds ?? null, ...added])));
}

function theSame(batch: BatchRecord, hash: string): BatchRecord {
  if (batch.hash === hash) return batch;
  throw new AppError('IDEMPOTENCY_CONFLICT', 'the idempotency key belongs to a batch with another request');
}

/**
 * Finds the input file. It may still be in assembly, because the steps of the batch are retried until the file is
 * ready.
 */
async function findInput(id: string, call: Call): Promise<StoredFile> {
  const param = 'input_file_id';
  const found = await call.files.get(call.owner, id);
  if (found !== undefined && found.purpose !== 'batch') {
    const message = `${param} must name a file with the purpose batch, got one with ${found.purpose}`;
    throw new AppError('INVALID_PARAMETER', message, { param });
  }
  if (found?.status === 'uploaded' || found?.status === 'processed') return found;
  const { objects } = await call.storage();
  return openFile(call.owner, id, { ...call, objects }, param);
}

interface BatchFacts {
  readonly id: string;
  readonly hash: string;
  readonly request: BatchRequest;
  readonly endpoint: JobEndpoint;
  readonly file: StoredFile;
}

function describe(call: Call, { id, hash, request, endpoint, file }: BatchFacts): BatchRecord {
  const createdAtMs = call.clock.now();
  const windowEndsAtMs = createdAtMs + COMPLETION_WINDOW_MS;
  const { output_expires_after: expiry } = request;
  return {
    owner: call.owner,
    id,
    hash,
    createdAtMs,
    windowEndsAtMs,
    status: 'validating',
    endpoint: request.endpoint,
    inputFileId: file.id,
    inputBytes: file.bytes,
    metadata: request.metadata ?? {},
    // The output files expire relative to the start of the merge, so the record outlives them.
    expiresAtMs: fileExpiry(windowEndsAtMs, call.settings.fileRetentionDays),
    errors: [],
    splitAt: 0,
    chunks: 0,
    lines: 0,
    requests: 0,
    splitDone: false,
    chunksDone: 0,
    counts: { completed: 0, failed: 0 },
    baseUrl: baseUrlOf(call.event),
    maxRequests: call.budgets.batchRequests,
    maxOutputBytes: call.budgets.batchOutputBytes,
    plan: call.plan,
    cacheControl: request.cache_control,
    model: endpoint.model,
    outputExpiresAfterSeconds: expiry?.seconds,
  };
}

/** How a request found its batch. */
interface Found {
  readonly derivedKey?: string | undefined;
  readonly isReplayed?: boolean;
}

function resultOf(batch: BatchRecord, { derivedKey, isReplayed = false }: Found): HttpResult {
  const headers = { 'idempotency-key': derivedKey, 'idempotent-replayed': isReplayed ? 'true' : undefined };
  return jsonResult(JSON.stringify(openAiBatch(batch)), { headers });
}
