import type { APIGatewayProxyResult } from 'aws-lambda';
import { findRoute, modelRoutes, SHARED_ROUTES } from '../../core/api/routes.ts';
import { AppError } from '../../core/errors.ts';
import { modelMetadata, modelReady } from '../../core/protocols/open-inference-metadata.ts';
import { success } from './answer.ts';
import { openCall, type ServeDeps, type ServeEvent } from './call.ts';
import { serveEmbeddings } from './serve-embeddings.ts';
import { serveInference } from './serve-inference.ts';

/** Finds what answers each request of one model: a function of the event. */
export function createServe(deps: ServeDeps): (event: ServeEvent) => Promise<APIGatewayProxyResult> {
  const { packed, clock, timer } = deps;
  const routes = [...SHARED_ROUTES, ...modelRoutes(packed.manifest.id)];
  const answers = { modelId: packed.manifest.id, now: () => clock.now(), timer };
  return async (event) => {
    const route = findRoute(routes, event.httpMethod, event.resource);
    const answer = await answerOf(route?.operation, event, deps);
    return typeof answer === 'string' ? success(answer, event, answers) : answer;
  };
}

type Operation = NonNullable<ReturnType<typeof findRoute>>['operation'];

async function answerOf(
  operation: Operation | undefined,
  event: ServeEvent,
  deps: ServeDeps,
): Promise<string | APIGatewayProxyResult> {
  switch (operation) {
    case 'embeddings':
      return serveEmbeddings(event, deps);
    case 'predict':
    case 'infer':
      return serveInference(operation, event, deps);
    case 'model-ready':
      await openCall(event, deps);
      return JSON.stringify(modelReady(deps.packed.manifest.id));
    case 'model-version':
      return JSON.stringify(describeVersion(event, deps));
    default:
      throw new AppError('ROUTE_NOT_FOUND', 'this function serves no such route');
  }
}

function describeVersion(event: ServeEvent, { packed, versions }: ServeDeps) {
  const name = event.pathParameters?.['version'] ?? '';
  versions.describe(name);
  event.measures.version = name;
  return modelMetadata(packed, name);
}
