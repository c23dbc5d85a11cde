/** A route found, and the path parameters that its variable parts took. */
export interface RouteMatch<T> {
  readonly value: T;
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface Node<T> {
  readonly statics: Map<string, Node<T>>;
  parameter?: { readonly name: string; readonly node: Node<T> };
  greedy?: { readonly name: string; readonly node: Node<T> };
  readonly methods: Map<string, T>;
}

/** Finds the resource of a path as API Gateway does: a static part before a parameter, that before a greedy one. */
export class RouteTree<T> {
  readonly #root: Node<T> = newNode();

  /**
   * Adds a method of a resource.
   *
   * @param resourcePath - `/v2/models/{model}/{proxy+}`.
   * @param method - `GET`, `POST`, … or `ANY`.
   */
  add(resourcePath: string, method: string, value: T): void {
    let node = this.#root;
    for (const part of partsOf(resourcePath)) node = child(node, part);
    node.methods.set(method, value);
  }

  /**
   * Finds the method that serves a request.
   *
   * @returns Nothing when no resource has the path, or the resource has no such method.
   */
  find(path: string, method: string): RouteMatch<T> | undefined {
    const parts = partsOf(path);
    const found = search(this.#root, parts.map(decode), {});
    const value = found?.node.methods.get(method) ?? found?.node.methods.get('ANY');
    return found === undefined || value === undefined ? undefined : { value, pathParameters: found.pathParameters };
  }
}

interface Found<T> {
  readonly node: Node<T>;
  readonly pathParameters: Readonly<Record<string, string>>;
}

function search<T>(
  node: Node<T>,
  parts: readonly string[],
  pathParameters: Record<string, string>,
): Found<T> | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return node.methods.size > 0 ? { node, pathParameters } : undefined;
  const next = node.statics.get(part);
  const fixed = next && search(next, rest, pathParameters);
  if (fixed !== undefined) return fixed;
  const { parameter, greedy } = node;
  const single =
    parameter && part !== '' && search(parameter.node, rest, { ...pathParameters, [parameter.name]: part });
  if (single) return single;
  if (greedy === undefined || part === '') return undefined;
  return { node: greedy.node, pathParameters: { ...pathParameters, [greedy.name]: parts.join('/') } };
}

function child<T>(node: Node<T>, part: string): Node<T> {
  const [, name, plus] = /^\{([^}+]+)(\+?)\}$/.exec(part) ?? [];
  if (name === undefined) {
    const existing = node.statics.get(part) ?? newNode<T>();
    node.statics.set(part, existing);
    return existing;
  }
  if (plus === '+') {
    node.greedy ??= { name, node: newNode() };
    return node.greedy.node;
  }
  node.parameter ??= { name, node: newNode() };
  return node.parameter.node;
}

function newNode<T>(): Node<T> {
  return { statics: new Map(), methods: new Map() };
}

/** A trailing slash makes a last, empty part, which no resource has: API Gateway does not forgive it either. */
function partsOf(path: string): string[] {
  return path === '/' || path === '' ? [] : path.slice(1).split('/');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
