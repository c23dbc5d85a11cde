/** A model as OpenAI describes one. */
export interface OpenAiModel {
  readonly id: string;
  readonly object: 'model';
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly owned_by: string;
  /** Limits of requests, by the names that other servers give them; the task of the model says which there are. */
  readonly [limit: string]: unknown;
}

/**
 * Returns the response of `GET /v1/models/{id}`.
 *
 * It holds no date but the epoch: the document is rendered at synth, and the same sources must give the same template.
 *
 * @param limits - Limits of requests to the model.
 */
export function openAiModel(id: string, limits: Readonly<Record<string, unknown>>): OpenAiModel {
  return { id, object: 'model', created: 0, owned_by: 'tensorgate', ...limits };
}

/** Returns the response of `GET /v1/models`: every model in the given order. */
export function openAiModelList(models: readonly OpenAiModel[]) {
  return { object: 'list', data: models } as const;
}
