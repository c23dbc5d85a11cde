import { checkParameters } from '../../core/api/list-query.ts';
import { CANCEL_LIMIT_MS } from '../../core/batches/batch.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { openAiBatch } from '../../core/batches/openai-batch.ts';
import { AppError } from '../../core/errors.ts';
import { openAiList } from '../../core/files/list-query.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { type Call, idOf, queryOf } from './call.ts';
import { pageOf } from './page.ts';

/** Serves `GET /v1/batches`, newest first. */
export async function listBatches(call: Call): Promise<HttpResult> {
  checkParameters(queryOf(call), ['limit', 'after']);
  const { batches, hasMore } = await call.batches.list({ owner: call.owner, ...pageOf(call) });
  return jsonResult(JSON.stringify(openAiList(batches.map(openAiBatch), hasMore)));
}

/** Serves `GET /v1/batches/{id}`. */
export async function showBatch(call: Call): Promise<HttpResult> {
  const batch = await call.batches.getBatch(call.owner, idOf(call));
  if (batch === undefined) throw notFound();
  return resultOf(batch);
}

/**
 * Serves `POST /v1/batches/{id}/cancel`: requests that have not run yet end as errors, and the results of the others are
 * merged. Canceling a batch again succeeds.
 */
export async function cancelBatch(call: Call): Promise<HttpResult> {
  const id = idOf(call);
  if ((await call.batches.getBatch(call.owner, id)) === undefined) throw notFound();
  const nowMs = call.clock.now();
  const { batch } = await call.batches.change(call.owner, id, {
    set: { status: 'cancelling', cancellingAtMs: nowMs, dueAtMs: nowMs + CANCEL_LIMIT_MS },
    statusIn: ['validating', 'in_progress'],
  });
  if (batch === undefined) throw notFound();
  if (batch.status === 'cancelling' || batch.status === 'cancelled') return resultOf(batch);
  const message =
    batch.status === 'finalizing'
      ? 'every request of the batch has run, its files are being written'
      : `the batch is ${batch.status}`;
  throw new AppError('BATCH_ENDED', message);
}

/**
 * Serves `DELETE /v1/batches/{id}`: deletes the record of a batch that has ended. Its files are files of their own and stay, as
 * those of OpenAI's API. Webhooks that were not delivered are dropped. A tombstone keeps late messages of the batch from doing
 * anything. Deleting a batch again succeeds, so that a request that failed halfway can be repeated.
 */
export async function deleteBatch(call: Call): Promise<HttpResult> {
  const id = idOf(call);
  const removed = await call.batches.remove(call.owner, id);
  if (removed === undefined) throw notFound();
  if (typeof removed !== 'number') {
    const message = `the batch is ${removed.status}: cancel it first, with POST /v1/batches/{id}/cancel`;
    throw new AppError('BATCH_NOT_ENDED', message);
  }
  await call.forgetDeliveries(call.owner, id, removed);
  return jsonResult(JSON.stringify({ id, object: 'batch', deleted: true }));
}

function resultOf(batch: BatchRecord): HttpResult {
  return jsonResult(JSON.stringify(openAiBatch(batch)));
}

function notFound(): AppError {
  return new AppError('BATCH_NOT_FOUND', 'this key has no such batch');
}
