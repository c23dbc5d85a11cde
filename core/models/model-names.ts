/** Ids of models by alias. */
export type ModelAliases = Readonly<Record<string, string>>;

/** The names that requests may use for a model: its id, then its aliases. */
export function namesOf({
  id,
  aliases = [],
}: {
  readonly id: string;
  readonly aliases?: readonly string[];
}): readonly string[] {
  return [id, ...aliases];
}

/** The id of the model that a name stands for; a name that is no alias stands for itself. */
export function modelIdOf(name: string, aliases: ModelAliases = {}): string {
  return (Object.hasOwn(aliases, name) ? aliases[name] : undefined) ?? name;
}
