import type { APIGatewayProxyResult } from 'aws-lambda';
import { modelRoutes, type Route, SHARED_ROUTES } from '../../core/api/routes.ts';
import { modelMetadata, modelReady } from '../../core/protocols/open-inference/metadata.ts';
import type { HttpRoute } from '../shared/http/http-handler.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { openCall, type ServeDeps, type ServeRequest } from './call.ts';
import { serveInference } from './serve-inference.ts';
import { serveShared } from './serve-shared.ts';

/** Maximum size of a decoded request body: the maximum that API Gateway accepts. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** The routes that one model's function serves. */
export function createRoutes(deps: ServeDeps): HttpRoute<ServeRequest>[] {
  return [...SHARED_ROUTES, ...modelRoutes(deps.packed.manifest.id)]
    .filter(({ answeredBy }) => answeredBy === 'function')
    .map((route) => ({
      method: route.method,
      path: route.path,
      ...(route.method === 'POST' ? { body: { maxBytes: MAX_BODY_BYTES } } : {}),
      run: (request) => run(route, request, deps),
    }));
}

async function run(
  { operation, task }: Route,
  request: ServeRequest,
  deps: ServeDeps,
): Promise<HttpResult | APIGatewayProxyResult> {
  if (task !== undefined) return serveShared(operation, request, deps);
  switch (operation) {
    case 'predict':
      return serveInference(operation, request, deps);
    case 'infer': {
      // Its codec is loaded by the first request as well.
      const { serveInfer } = await import('./serve-infer.ts');
      return serveInfer(request, deps);
    }
    case 'model-ready':
      await openCall(request, deps);
      return jsonResult(JSON.stringify(modelReady(deps.packed.manifest.id)));
    case 'model-version':
      return jsonResult(JSON.stringify(describeVersion(request, deps)));
    default:
      throw new TypeError(`${operation} is a document that API Gateway returns`);
  }
}

function describeVersion({ params, measures }: ServeRequest, { packed, task, versions }: ServeDeps) {
  const { version = '' } = params;
  versions.describe(version);
  measures.version = version;
  return modelMetadata(packed, task, version);
}
