import { AppError } from '../errors.ts';

/** A method of a path template of API Gateway: literal segments, and `{name}` for a segment that varies. */
export interface Routable {
  /** `GET`, `POST`, … */
  readonly method: string;
  /** `/v1/jobs/{id}/cancel`. */
  readonly path: string;
  /** Pattern of every variable segment; a path with another segment has no route. Defaults to any segment. */
  readonly parameters?: RegExp;
}

/** A route, and the segments of the path that its template leaves open. */
export interface RouteMatch<R> {
  readonly route: R;
  readonly params: Readonly<Record<string, string>>;
}

interface Resource<R> {
  readonly segments: readonly string[];
  readonly parameters: RegExp | undefined;
  readonly routes: R[];
}

/**
 * Finds the route of a request. A literal path takes precedence over a template that matches it as well.
 *
 * Not built on `URLPattern`: with the 8 routes of files and batches that takes 12 to 23 microseconds a request on Node 24,
 * this 0.03 to 0.4.
 */
export class Router<R extends Routable> {
  readonly #literals = new Map<string, Resource<R>>();
  readonly #templates = new Map<string, Resource<R>>();

  constructor(routes: readonly R[]) {
    for (const route of routes) {
      const { path, parameters } = route;
      const resources = path.includes('{') ? this.#templates : this.#literals;
      const resource = resources.get(path) ?? { segments: path.split('/'), parameters, routes: [] };
      resource.routes.push(route);
      resources.set(path, resource);
    }
  }

  /**
   * Finds the route of a request.
   *
   * @param path - Path without the stage and without a query.
   * @throws AppError `ROUTE_NOT_FOUND`, or `METHOD_NOT_ALLOWED` when the path has other methods.
   */
  find(method: string, path: string): RouteMatch<R> {
    const found = this.#resourceOf(path);
    if (found === undefined) throw new AppError('ROUTE_NOT_FOUND', 'no route has this path');
    const route = found.resource.routes.find((candidate) => candidate.method === method);
    if (route !== undefined) return { route, params: found.params };
    throw new AppError('METHOD_NOT_ALLOWED', `the route accepts ${this.allowedMethods(path)} only`);
  }

  /** Methods of a path, for the response header `allow`; empty if no route has the path. */
  allowedMethods(path: string): string {
    return (this.#resourceOf(path)?.resource.routes ?? []).map(({ method }) => method).join(', ');
  }

  #resourceOf(path: string): { resource: Resource<R>; params: Record<string, string> } | undefined {
    const literal = this.#literals.get(path);
    if (literal !== undefined) return { resource: literal, params: {} };
    const segments = path.split('/');
    for (const resource of this.#templates.values()) {
      const params = match(resource, segments);
      if (params !== undefined) return { resource, params };
    }
    return undefined;
  }
}

function match<R>({ segments, parameters }: Resource<R>, actual: readonly string[]) {
  if (segments.length !== actual.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = actual[index] ?? '';
    if (!segment.startsWith('{')) {
      if (segment !== value) return undefined;
      continue;
    }
    if (value === '' || parameters?.test(value) === false) return undefined;
    params[segment.slice(1, -1)] = value;
  }
  return params;
}
