import { type Body, jsonEncoded, readJsonBody } from '../../core/api/body.ts';
import { headerOf } from '../shared/http/header.ts';
import type { HttpResult } from '../shared/http/http-response.ts';
import { type InferenceOperation, prepare } from '../shared/inference/prepare.ts';
import { runPrepared } from '../shared/inference/prepared-request.ts';
import { openCall, type ServeDeps, type ServeRequest } from './call.ts';

/**
 * Runs an inference request on this function's own model, or submits it as a job if its caller prefers that.
 *
 * @param body - The body, if it is parsed already.
 */
export async function serveInference(
  operation: InferenceOperation,
  request: ServeRequest,
  deps: ServeDeps,
  body: Body = request.body,
): Promise<HttpResult> {
  const call = await openCall(request, deps);
  const prepared = await prepare(operation, readJsonBody(body), call, deps);
  if (deps.submission !== undefined && headerOf(request.event, 'prefer') !== undefined) {
    // Only requests with this header need the module, so the first of them loads it.
    const { serveAsync } = await import('./serve-async.ts');
    const result = await serveAsync(request, deps.submission, deps);
    if (result !== undefined) return result;
  }
  return { content: jsonEncoded(await runPrepared(prepared, call, deps)) };
}
