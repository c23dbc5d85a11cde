import { AppError } from '../../core/errors.ts';
import type { Model } from './model.ts';

/**
 * Chooses the model behind `POST /v1/embeddings` for requests that reach it first.
 *
 * @param models - Every model of the API.
 * @param wanted - Id of the model to take. Defaults to the first embedding model in the order of ids.
 * @returns Undefined when there is no embedding model and none was wanted.
 * @throws AppError `CONFIG_INVALID` when no embedding model has the wanted id.
 */
export function chooseEmbeddingModel(models: readonly Model[], wanted?: string): Model | undefined {
  const candidates = models
    .filter(({ manifest }) => manifest.task === 'embedding')
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  if (wanted === undefined) return candidates[0];
  const found = candidates.find(({ id }) => id === wanted);
  if (found !== undefined) return found;
  const known = candidates.map(({ id }) => id).join(', ') || 'none';
  throw new AppError(
    'CONFIG_INVALID',
    `defaultEmbeddingModel must be the id of an embedding model, got ${wanted}, known: ${known}`,
  );
}
