import type { Call, InferenceDeps } from './inference.ts';
import { prepareEmbeddings } from './prepare-embeddings.ts';
import type { PreparedRequest } from './prepared-request.ts';

/** Protocols in which a model can be asked. */
export type InferenceOperation = 'embeddings' | 'predict' | 'infer';

/**
 * Checks the body of a request and does all to it that does not need the model.
 *
 * The protocols that few callers speak are loaded by the first request that needs them.
 *
 * @param body - The parsed JSON.
 * @throws AppError whatever is wrong with the request.
 */
export async function prepare(
  operation: InferenceOperation,
  body: unknown,
  call: Call,
  deps: InferenceDeps,
): Promise<PreparedRequest> {
  if (operation === 'embeddings') return prepareEmbeddings(body, call, deps);
  if (operation === 'predict') return (await import('./prepare-predict.ts')).preparePredict(body, call, deps);
  return (await import('./prepare-infer.ts')).prepareInfer(body, call, deps);
}
