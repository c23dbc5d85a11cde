import { AppError } from '../../core/errors.ts';
import { JOB_ID_PATTERN } from '../../core/jobs/job-request.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import type { Call } from './call.ts';

/**
 * Serves `DELETE /v1/jobs/{id}`: deletes a job that has ended, with its input, its result and the log of its webhooks. Webhooks
 * that were not delivered are dropped. Deleting a job again succeeds.
 *
 * A tombstone replaces the record before anything else is deleted. If the request fails halfway, the caller repeats it, or
 * the sweep, which looks at every tombstone, deletes the rest.
 *
 * @throws AppError `JOB_NOT_ENDED` for a job that is queued or running: its worker would continue, and its destinations would
 * never be notified. Its owner cancels it first.
 */
export async function deleteJob({ params: { id = '' }, owner, deps }: Call): Promise<HttpResult> {
  const removed = JOB_ID_PATTERN.test(id) ? await deps.jobs.remove({ owner, id }) : undefined;
  if (removed === undefined) throw new AppError('JOB_NOT_FOUND', 'there is no such job');
  if (typeof removed !== 'number') {
    throw new AppError(
      'JOB_NOT_ENDED',
      `the job is ${removed.status}: cancel it first, with POST /v1/jobs/{id}/cancel`,
    );
  }
  const [objects, { webhooks }] = await Promise.all([deps.objects(), deps.webhooks()]);
  await Promise.all([
    ...payloadKeys.ofJob({ owner, id }).map((prefix) => objects.removeAll(prefix, removed)),
    webhooks.forget(owner, { object: 'job', id }, removed),
  ]);
  return jsonResult(JSON.stringify({ id, object: 'job', deleted: true }));
}
