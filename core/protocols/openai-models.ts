/** A model as OpenAI describes one. */
export interface OpenAiModel {
  readonly id: string;
  readonly object: 'model';
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly owned_by: string;
}

/**
 * Returns the response of `GET /v1/models/{id}`.
 *
 * It holds no date but the epoch: the document is rendered at synth, and the same sources must give the same template.
 */
export function openAiModel(id: string): OpenAiModel {
  return { id, object: 'model', created: 0, owned_by: 'tensorgate' };
}

/** Returns the response of `GET /v1/models`: every model in the given order. */
export function openAiModelList(ids: readonly string[]): { readonly object: 'list'; readonly data: OpenAiModel[] } {
  return { object: 'list', data: ids.map(openAiModel) };
}
