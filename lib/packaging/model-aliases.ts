import { AppError } from '../../core/errors.ts';
import type { ModelAliases } from '../../core/models/model-names.ts';
import type { Model } from './model.ts';

/**
 * Collects the aliases of models.
 *
 * @returns Ids of the models by alias.
 * @throws AppError `CONFIG_INVALID` when an alias is the id or an alias of another model.
 */
export function aliasesOf(models: readonly Model[]): ModelAliases {
  const owners = new Map(models.map(({ id }) => [id, id]));
  const aliases = new Map<string, string>();
  for (const { id, manifest } of models) {
    for (const alias of manifest.aliases) {
      const owner = owners.get(alias);
      if (owner !== undefined) {
        const message = `aliases of the model ${id} must name no other model, got ${alias}, which is a name of ${owner}`;
        throw new AppError('CONFIG_INVALID', message);
      }
      owners.set(alias, id);
      aliases.set(alias, id);
    }
  }
  return Object.fromEntries(aliases);
}
