import { TASK_ROUTES } from '../tasks/task-routes.ts';
import type { TaskName } from '../tasks/tasks.ts';

/** Operation of a route, in addition to the operations of the tasks' own routes. */
export type Operation =
  | 'predict'
  | 'infer'
  | 'model-ready'
  | 'model-version'
  | 'openai-models'
  | 'openai-model'
  | 'server-metadata'
  | 'model-metadata'
  | 'server-live'
  | 'server-ready';

/** The callers that a route admits: all callers, or those with a valid credential. */
export type Access = 'open' | 'caller';

/** One method of one path. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Path in the format of API Gateway's resources; `{version}` is its only parameter. */
  readonly path: string;
  /** The name of a codec of the model's task, or of another action of the route. */
  readonly operation: string;
  /** `function`: a model's function; `document`: static JSON in API Gateway. */
  readonly answeredBy: 'function' | 'document';
  readonly access: Access;
  /** The task whose models share the route; a request names its model in its body. */
  readonly task?: TaskName;
}

/** Routes that do not depend on a model. */
export const SHARED_ROUTES: readonly Route[] = [
  ...TASK_ROUTES.map(({ method, path, operation, task }) => ({ ...toFunction(method, path, operation), task })),
  toDocument('/v1/models', 'openai-models'),
  toDocument('/v2', 'server-metadata'),
  ...toHealth('/v2/health/live', 'server-live'),
  ...toHealth('/v2/health/ready', 'server-ready'),
];

/** Resources for every path that is not a route. Their 404 needs no key. */
export const UNKNOWN_PATHS: readonly string[] = ['/', '/{proxy+}', '/v2/{proxy+}'];

/** Routes of one name of a model. */
export function modelRoutes(name: string): readonly Route[] {
  const v2 = `/v2/models/${name}`;
  const version = `${v2}/versions/{version}`;
  return [
    toFunction('POST', `/v1/models/${name}:predict`, 'predict'),
    toDocument(`/v1/models/${name}`, 'openai-model'),
    toDocument(v2, 'model-metadata'),
    toFunction('POST', `${v2}/infer`, 'infer'),
    toFunction('GET', `${v2}/ready`, 'model-ready'),
    toFunction('GET', version, 'model-version'),
    toFunction('POST', `${version}/infer`, 'infer'),
    toFunction('GET', `${version}/ready`, 'model-ready'),
  ];
}

/** Returns whether a route is below the path of a model, `/v2/models/{name}`, where the function of the model serves every path. */
export function isBelowModel({ path }: Pick<Route, 'path'>, name: string): boolean {
  return path.startsWith(`/v2/models/${name}/`);
}

/** A path that one function serves, with everything below it and by every method. */
export interface RouteTree {
  readonly path: string;
  readonly answeredBy: 'serve-jobs' | 'serve-batches';
  readonly access: Access;
}

/** Routes of a deployment that has jobs. */
export const JOB_ROUTES: readonly RouteTree[] = [
  { path: '/v1/jobs', answeredBy: 'serve-jobs', access: 'caller' },
  { path: '/v1/webhooks', answeredBy: 'serve-jobs', access: 'caller' },
  { path: '/v1/files', answeredBy: 'serve-batches', access: 'caller' },
  { path: '/v1/uploads', answeredBy: 'serve-batches', access: 'caller' },
  { path: '/v1/batches', answeredBy: 'serve-batches', access: 'caller' },
  { path: '/v1/usage', answeredBy: 'serve-batches', access: 'caller' },
];

/** Methods of a path, for the response header `allow`. */
export function allowedMethods(routes: readonly Route[], path: string): string[] {
  return routes.filter((route) => route.path === path).map(({ method }) => method);
}

function toFunction(method: Route['method'], path: string, operation: string): Route {
  return { method, path, operation, answeredBy: 'function', access: 'caller' };
}

function toDocument(path: string, operation: Operation): Route {
  return { method: 'GET', path, operation, answeredBy: 'document', access: 'caller' };
}

/** Monitors check health with GET or HEAD, and without a key. */
function toHealth(path: string, operation: Operation): Route[] {
  const methods = ['GET', 'HEAD'] as const;
  return methods.map((method) => ({ ...toDocument(path, operation), method, access: 'open' }));
}
