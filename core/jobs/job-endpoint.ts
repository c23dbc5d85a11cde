import { AppError } from '../errors.ts';
import { MODEL_ID_PATTERN } from '../models/model-id.ts';
import { TASK_ROUTES, taskRouteAt } from '../tasks/task-routes.ts';
import type { TaskName } from '../tasks/tasks.ts';

/** An inference route as jobs and batches name it. */
export interface JobEndpoint {
  /** Name of the codec that reads the request. */
  readonly operation: string;
  /** Task whose models share the route; then the body names the model. */
  readonly task?: TaskName;
  /** Model of the path; absent for a route that models share. */
  readonly model?: string;
  /** Version of the path. */
  readonly version?: string;
}

/**
 * Returns the models that share the route of an endpoint; the first serves requests that name none.
 *
 * @param taskModels - Ids of the models by task.
 */
export function modelsOf(
  { task }: Pick<JobEndpoint, 'task'>,
  taskModels: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  return task === undefined ? [] : (taskModels[task] ?? []);
}

/** The paths of inference routes, for messages. */
const PATHS = [
  ...TASK_ROUTES.map(({ path }) => path),
  '/v1/models/{id}:predict',
  '/v2/models/{id}/infer',
  '/v2/models/{id}/versions/{version}/infer',
];

/**
 * Reads the path of an inference route: a task's own, `/v1/models/{id}:predict`, `/v2/models/{id}/infer` or
 * `/v2/models/{id}/versions/{version}/infer`.
 *
 * @throws AppError `INVALID_PARAMETER` when it is another path.
 */
export function parseEndpoint(path: string, param = 'endpoint'): JobEndpoint {
  const shared = taskRouteAt(path);
  if (shared !== undefined) return { operation: shared.operation, task: shared.task };
  const predict = /^\/v1\/models\/([^/:]+):predict$/.exec(path);
  if (predict?.[1] !== undefined && MODEL_ID_PATTERN.test(predict[1])) {
    return { operation: 'predict', model: predict[1] };
  }
  const infer = /^\/v2\/models\/([^/]+)(?:\/versions\/(\d{1,9}))?\/infer$/.exec(path);
  if (infer?.[1] !== undefined && MODEL_ID_PATTERN.test(infer[1])) {
    return { operation: 'infer', model: infer[1], version: infer[2] };
  }
  throw new AppError('INVALID_PARAMETER', `${param} must be ${PATHS.slice(0, -1).join(', ')} or ${PATHS.at(-1)}`, {
    param,
  });
}
