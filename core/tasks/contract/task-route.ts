/** Settings of an API that name the model behind a task's routes for requests that name none. */
export type DefaultModelSetting = 'defaultEmbeddingModel';

/**
 * A route of a task's own, besides those that every model has. Its path names no model: the body does, in the member
 * `model`, and all models of the task share it.
 */
export interface TaskRoute {
  readonly method: 'POST';
  readonly path: string;
  /** Name of the task's codec. */
  readonly operation: string;
  /** Setting that names the model for requests that name none. */
  readonly defaultModel: DefaultModelSetting;
  /** Members of a request body, for the API's description. */
  readonly members: readonly string[];
  /** A request body to try the route with. */
  example(model: string): Readonly<Record<string, unknown>>;
}
