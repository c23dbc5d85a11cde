import type { Body, Encoded } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { headerOf } from '../shared/http/header.ts';
import { bytesInResponse, fitsResponse, type HttpResult, MAX_BODY_BYTES } from '../shared/http/http-response.ts';
import { codecOf } from '../shared/inference/codec-of.ts';
import { type Call, contextOf } from '../shared/inference/inference.ts';
import { prepareItems, runItems } from '../shared/inference/run-items.ts';
import { openCall, type ServeDeps, type ServeRequest } from './call.ts';

/** Items that go through the results cache together: few enough for the table to respond within its time limit. */
const ITEMS_IN_SLICE = 128;

/**
 * Runs an inference request on this function's own model, or submits it as a job if its caller prefers that.
 *
 * @param operation - Name of the codec that reads the request.
 * @param body - The body, if it is parsed already.
 */
export async function serveInference(
  operation: string,
  request: ServeRequest,
  deps: ServeDeps,
  body: Body = request.body,
): Promise<HttpResult> {
  const codec = await codecOf(operation, deps);
  const call = await openCall(request, deps);
  const context = contextOf(call.version, deps);
  const decoded = await codec.decode(body, context);
  const features = await prepareItems(decoded, call, deps);
  if (deps.submission !== undefined && headerOf(request.event, 'prefer') !== undefined) {
    // Only requests with this header need the module, so the first of them loads it.
    const { serveAsync } = await import('./serve-async.ts');
    const result = await serveAsync(request, deps.submission, deps);
    if (result !== undefined) return result;
  }
  codec.checkSize?.(decoded, context, MAX_BODY_BYTES);
  const results = await run(features, call, deps);
  const content = await codec.encode(results, { request: decoded, features }, context);
  if (features.length > 1 && !fitsResponse(content)) throw tooLarge(content, features.length);
  return { content };
}

/** Only requests with many items need slices, so the first of them loads the module. */
async function run(features: readonly unknown[], call: Call, deps: ServeDeps): Promise<readonly unknown[]> {
  if (features.length <= ITEMS_IN_SLICE) return runItems(features, call, deps);
  const { runInSlices } = await import('../shared/inference/run-in-slices.ts');
  const { maxItems, concurrency } = deps.task.budget(deps.packed.manifest);
  // Whole runs, so that slices cost no more than all items together would.
  const fullRuns = Math.ceil(ITEMS_IN_SLICE / maxItems) * concurrency;
  return runInSlices(features, call, deps, fullRuns * maxItems);
}

function tooLarge(content: Encoded, items: number): AppError {
  const bytes = bytesInResponse(content);
  const fitting = Math.max(1, Math.floor((items * MAX_BODY_BYTES) / bytes));
  return new AppError(
    'ANSWER_TOO_LARGE',
    `the response to ${items} inputs takes ${bytes} bytes, at most ${MAX_BODY_BYTES} can be returned: send at most ${fitting} inputs at a time, or submit a job`,
  );
}
