import type { APIGatewayProxyResult } from 'aws-lambda';
import { headerOf } from '../shared/http/json-body.ts';
import { type InferenceOperation, prepare } from '../shared/inference/prepare.ts';
import { runPrepared } from '../shared/inference/prepared-request.ts';
import { openCall, type ServeDeps, type ServeEvent } from './call.ts';

/**
 * Answers an inference request to this function's own model, or hands it over as a job where its caller prefers that.
 *
 * @returns JSON text, or the answer about the job.
 */
export async function serveInference(
  operation: InferenceOperation,
  event: ServeEvent,
  deps: ServeDeps,
): Promise<string | APIGatewayProxyResult> {
  const call = await openCall(event, deps);
  const prepared = await prepare(operation, event.json, call, deps);
  if (deps.submission !== undefined && headerOf(event, 'prefer') !== undefined) {
    // Loaded by the first request that asks for it, for no other needs any of it.
    const { serveAsync } = await import('./serve-async.ts');
    const answer = await serveAsync(event, deps.submission, deps);
    if (answer !== undefined) return answer;
  }
  return runPrepared(prepared, call, deps);
}
