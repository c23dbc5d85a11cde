import { AppError } from '../../core/errors.ts';
import type { DefaultModelSetting } from '../../core/tasks/contract/task-route.ts';
import { type OwnedRoute, TASK_ROUTES } from '../../core/tasks/task-routes.ts';
import type { TaskName } from '../../core/tasks/tasks.ts';
import type { Model } from './model.ts';

/** Settings that name the models of routes that several models share. */
export type DefaultModels = Readonly<Partial<Record<DefaultModelSetting, string>>>;

/** The models behind the routes of a task. */
export interface RouteModels {
  readonly task: TaskName;
  /** The model that requests reach first; it serves those that name no model. */
  readonly first: Model;
  /** The other models of the task. */
  readonly others: readonly Model[];
}

/**
 * Chooses the models behind the routes that the models of a task share.
 *
 * @param models - Every model of the API.
 * @param settings - Ids of the models to take. By default the first of a task in the order of ids.
 * @returns One for each task that has routes and models.
 * @throws AppError `CONFIG_INVALID` when a setting names no model of its task.
 */
export function chooseRouteModels(models: readonly Model[], settings: DefaultModels): readonly RouteModels[] {
  const routes = [...new Map(TASK_ROUTES.map((route) => [route.task, route])).values()];
  return routes.flatMap((route) => chooseModels(models, route, settings[route.defaultModel]));
}

function chooseModels(
  models: readonly Model[],
  { task, defaultModel }: OwnedRoute,
  requested: string | undefined,
): RouteModels[] {
  const candidates = models.filter(({ manifest }) => manifest.task === task).sort((a, b) => (a.id < b.id ? -1 : 1));
  const first = requested === undefined ? candidates[0] : candidates.find(({ id }) => id === requested);
  if (first !== undefined) return [{ task, first, others: candidates.filter((model) => model !== first) }];
  if (requested === undefined) return [];
  const known = candidates.map(({ id }) => id).join(', ') || 'none';
  throw new AppError(
    'CONFIG_INVALID',
    `${defaultModel} must be the id of a model of the task ${task}, got ${requested}, known: ${known}`,
  );
}
