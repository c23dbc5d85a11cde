import type { APIGatewayProxyResult } from 'aws-lambda';
import { modelRoutes, type Route, SHARED_ROUTES } from '../../core/api/routes.ts';
import { namesOf } from '../../core/models/model-names.ts';
import { modelMetadata, modelReady } from '../../core/protocols/open-inference/metadata.ts';
import type { HttpRoute } from '../shared/http/http-handler.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { openCall, type ServeDeps, type ServeRequest } from './call.ts';
import { serveInference } from './serve-inference.ts';
import { serveShared } from './serve-shared.ts';

/** Maximum size of a decoded request body: the maximum that API Gateway accepts. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

const ADVICE = 'send fewer inputs in one request, or a job whose input is a file (input_file_id)';

/** Returns the routes that one model's function serves. */
export function createRoutes(deps: ServeDeps): HttpRoute<ServeRequest>[] {
  return [...SHARED_ROUTES, ...namesOf(deps.packed.manifest).flatMap(modelRoutes)]
    .filter(({ answeredBy }) => answeredBy === 'function')
    .map((route) => ({
      method: route.method,
      path: route.path,
      ...(route.method === 'POST' ? { body: { maxBytes: MAX_BODY_BYTES, advice: ADVICE } } : {}),
      run: (request) => run(route, request, deps),
    }));
}

function run(
  { operation, task }: Route,
  request: ServeRequest,
  deps: ServeDeps,
): Promise<HttpResult | APIGatewayProxyResult> {
  if (task !== undefined) return serveShared(operation, request, deps);
  switch (operation) {
    case 'predict':
      return serveInference(operation, request, deps);
    case 'infer':
      return runInfer(request, deps);
    case 'model-ready':
      return showReady(request, deps);
    case 'model-version':
      return showVersion(request, deps);
    default:
      throw new TypeError(`${operation} is a document that API Gateway returns`);
  }
}

/** Few callers speak this protocol: their first request loads its code. */
async function runInfer(request: ServeRequest, deps: ServeDeps): Promise<HttpResult> {
  const { serveInfer } = await import('./serve-infer.ts');
  return serveInfer(request, deps);
}

async function showReady(request: ServeRequest, deps: ServeDeps): Promise<HttpResult> {
  await openCall(request, deps);
  return jsonResult(JSON.stringify(modelReady(deps.packed.manifest.id)));
}

async function showVersion({ params, measures }: ServeRequest, deps: ServeDeps): Promise<HttpResult> {
  const { packed, task, versions } = deps;
  const { version = '' } = params;
  versions.describe(version);
  measures.version = version;
  return jsonResult(JSON.stringify(modelMetadata(packed, task, version)));
}
