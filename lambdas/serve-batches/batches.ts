import type { APIGatewayProxyResult } from 'aws-lambda';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { openAiBatch } from '../../core/batches/openai-batch.ts';
import { AppError } from '../../core/errors.ts';
import { openAiList } from '../../core/files/list-query.ts';
import { jsonAnswer } from '../shared/http/api-answer.ts';
import type { Call } from './call.ts';
import { pageOf } from './page.ts';

/** `GET /v1/batches`, newest first. */
export async function listBatches(call: Call): Promise<APIGatewayProxyResult> {
  const { batches, hasMore } = await call.batches.list({ owner: call.owner, ...pageOf(call) });
  return jsonAnswer(200, JSON.stringify(openAiList(batches.map(openAiBatch), hasMore)), call.event);
}

/** `GET /v1/batches/{id}`. */
export async function showBatch(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const batch = await call.batches.getBatch(call.owner, id);
  if (batch === undefined) throw notFound();
  return answer(batch, call);
}

/**
 * `POST /v1/batches/{id}/cancel`: requests that have not run yet end as errors, and what has run is merged. Canceling
 * again is no error.
 */
export async function cancelBatch(call: Call, id: string): Promise<APIGatewayProxyResult> {
  if ((await call.batches.getBatch(call.owner, id)) === undefined) throw notFound();
  const { batch } = await call.batches.change(call.owner, id, {
    set: { status: 'cancelling', cancellingAtMs: call.clock.now() },
    statusIn: ['validating', 'in_progress'],
  });
  if (batch === undefined) throw notFound();
  if (batch.status === 'cancelling' || batch.status === 'cancelled') return answer(batch, call);
  const message =
    batch.status === 'finalizing'
      ? 'every request of the batch has run, its files are being written'
      : `the batch is ${batch.status}`;
  throw new AppError('BATCH_ENDED', message);
}

function answer(batch: BatchRecord, { event }: Call): APIGatewayProxyResult {
  return jsonAnswer(200, JSON.stringify(openAiBatch(batch)), event);
}

function notFound(): AppError {
  return new AppError('BATCH_NOT_FOUND', 'this key has no such batch');
}
