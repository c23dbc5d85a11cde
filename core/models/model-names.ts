/** Ids of models by alias. */
export type ModelAliases = Readonly<Record<string, string>>;

/** Returns the names that requests may use for a model: its id, then its aliases. */
export function namesOf({
  id,
  aliases = [],
}: {
  readonly id: string;
  readonly aliases?: readonly string[];
}): readonly string[] {
  return [id, ...aliases];
}

/** Returns the id of the model that a name refers to. A name that is not an alias is an id. */
export function modelIdOf(name: string, aliases: ModelAliases = {}): string {
  return (Object.hasOwn(aliases, name) ? aliases[name] : undefined) ?? name;
}
