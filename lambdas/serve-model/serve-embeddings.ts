import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import type { ServeDeps, ServeEvent } from './call.ts';
import { serveInference } from './serve-inference.ts';

/**
 * Answers `POST /v1/embeddings`, the one route that all embedding models share: a request that names another model is
 * handed on to that model's function, and that function's answer is the answer.
 *
 * @returns JSON text, or the answer of the other function.
 * @throws AppError `MODEL_NOT_FOUND` when no embedding model has the name.
 */
export async function serveEmbeddings(event: ServeEvent, deps: ServeDeps): Promise<string | APIGatewayProxyResult> {
  const named = modelOf(event.json);
  if (named !== undefined && named !== deps.packed.manifest.id) return handOn(named, event, deps);
  return serveInference('embeddings', event, deps);
}

function modelOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('model' in body)) return undefined;
  return typeof body.model === 'string' && body.model !== '' ? body.model : undefined;
}

function handOn(model: string, event: ServeEvent, deps: ServeDeps): Promise<APIGatewayProxyResult> {
  const { siblings } = deps.environment;
  const target = Object.hasOwn(siblings, model) ? siblings[model] : undefined;
  if (target === undefined) {
    const known = [deps.packed.manifest.id, ...Object.keys(siblings)].sort().join(', ');
    throw new AppError('MODEL_NOT_FOUND', `model must be one of ${known}`, { param: 'model' });
  }
  event.measures.forwardedTo = model;
  return deps.forward(target, untouched(event));
}

/** The event as the gateway sent it, without what was added on the way. */
function untouched({ json, jsonText, measures, ...event }: ServeEvent): APIGatewayProxyEvent {
  return event;
}
