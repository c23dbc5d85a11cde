import { type InferenceOperation, prepare } from '../shared/inference/prepare.ts';
import { runPrepared } from '../shared/inference/prepared-request.ts';
import { openCall, type ServeDeps, type ServeEvent } from './call.ts';

/**
 * Answers an inference request to this function's own model.
 *
 * @returns JSON text.
 */
export async function serveInference(
  operation: InferenceOperation,
  event: ServeEvent,
  deps: ServeDeps,
): Promise<string> {
  const call = await openCall(event, deps);
  return runPrepared(await prepare(operation, event.json, call, deps), call, deps);
}
