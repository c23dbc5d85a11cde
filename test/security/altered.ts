/** The names and indices that lead to a value in an example. */
export type Path = readonly (string | number)[];

/** Lists every path in an example except the root. */
export function placesIn(value: unknown, path: Path = []): Path[] {
  const entries: (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(typeof value === 'object' && value !== null ? value : {});
  return entries.flatMap(([key, inner]) => [[...path, key], ...placesIn(inner, [...path, key])]);
}

/** Returns a copy of an example with another value at a path; undefined removes the member. */
export function changed(full: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(full) as Record<string | number, unknown>;
  let owner = copy;
  for (const key of path.slice(0, -1)) owner = owner[key] as typeof copy;
  const last = path.at(-1) ?? '';
  if (value === undefined) delete owner[last];
  else owner[last] = value;
  return copy;
}

/** Returns a copy of an example with one more member beside a path. */
export function withMember(full: unknown, path: Path, name: string): unknown {
  const isInArray = typeof path.at(-1) === 'number';
  return changed(full, isInArray ? path : [...path.slice(0, -1), name], isInArray ? { [name]: 1 } : 1);
}
