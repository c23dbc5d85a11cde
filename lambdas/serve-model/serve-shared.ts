import type { APIGatewayProxyResult } from 'aws-lambda';
import { JSON_MEDIA_TYPE, readJsonBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { modelIdOf, namesOf } from '../../core/models/model-names.ts';
import type { HttpResult } from '../shared/http/http-response.ts';
import type { ServeDeps, ServeRequest } from './call.ts';
import { serveInference } from './serve-inference.ts';

/**
 * Serves a route that all models of a task share: a request that names another model is forwarded to that model's
 * function, whose response is returned.
 *
 * @param operation - Operation of the route.
 * @throws AppError `MODEL_NOT_FOUND` when no model of the task has the name.
 */
export function serveShared(
  operation: string,
  request: ServeRequest,
  deps: ServeDeps,
): Promise<HttpResult | APIGatewayProxyResult> {
  const value = readJsonBody(request.body);
  const named = modelOf(value);
  if (named !== undefined && !namesOf(deps.packed.manifest).includes(named)) return forward(named, request, deps);
  return serveInference(operation, request, deps, { mediaType: JSON_MEDIA_TYPE, value });
}

function modelOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('model' in body)) return undefined;
  return typeof body.model === 'string' && body.model !== '' ? body.model : undefined;
}

function forward(name: string, { event, measures }: ServeRequest, deps: ServeDeps): Promise<APIGatewayProxyResult> {
  const { siblings = [], modelAliases = {} } = deps.environment;
  const model = modelIdOf(name, modelAliases);
  if (!siblings.includes(model)) {
    const known = [...namesOf(deps.packed.manifest), ...siblings, ...Object.keys(modelAliases)].sort().join(', ');
    throw new AppError('MODEL_NOT_FOUND', `model must be one of ${known}`, { param: 'model' });
  }
  measures.forwardedTo = model;
  return deps.forward(model, event);
}
