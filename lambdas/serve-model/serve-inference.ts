import type { Body } from '../../core/api/body.ts';
import { headerOf } from '../shared/http/header.ts';
import type { HttpResult } from '../shared/http/http-response.ts';
import { codecOf } from '../shared/inference/codec-of.ts';
import { contextOf } from '../shared/inference/inference.ts';
import { prepareItems, runItems } from '../shared/inference/run-items.ts';
import { openCall, type ServeDeps, type ServeRequest } from './call.ts';

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
  const results = await runItems(features, call, deps);
  return { content: await codec.encode(results, { request: decoded, features }, context) };
}
