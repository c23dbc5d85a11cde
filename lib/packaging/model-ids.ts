import { AppError } from '../../core/errors.ts';
import { isPlainModelId } from '../../core/models/model-id.ts';
import type { Model } from './model.ts';
import { aliasesOf } from './model-aliases.ts';

/**
 * Checks that there are models, and that each has an id and aliases of its own.
 *
 * @throws AppError `CONFIG_INVALID` when there is none, or several have one id or alias.
 */
export function checkModelIds(models: readonly Model[]): void {
  if (models.length === 0) throw new AppError('CONFIG_INVALID', 'models must contain at least one model, got none');
  const repeated = new Set(models.map(({ id }) => id).filter((id, index, ids) => ids.indexOf(id) !== index));
  if (repeated.size > 0) {
    throw new AppError(
      'CONFIG_INVALID',
      `models must contain each id once, got more than one ${[...repeated].join(', ')}: give each model another id`,
    );
  }
  aliasesOf(models);
}

/**
 * Returns the id of the construct that stands for a model.
 *
 * An id in lower case is used as it is, because a different construct id would replace deployed resources. Any other id gets a
 * prefix. Otherwise it could equal the id of another construct in the same scope, such as `RestApi`.
 */
export function modelConstructId({ id }: Model): string {
  return isPlainModelId(id) ? id : `Model-${id}`;
}
