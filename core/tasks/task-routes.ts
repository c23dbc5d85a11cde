import type { TaskRoute } from './contract/task-route.ts';
import { EMBEDDING_ROUTES } from './embedding/routes.ts';
import type { TaskName } from './tasks.ts';

/** A route and the task that owns it. */
export interface OwnedRoute extends TaskRoute {
  readonly task: TaskName;
}

const ROUTES_BY_TASK: Readonly<Record<TaskName, readonly TaskRoute[]>> = {
  embedding: EMBEDDING_ROUTES,
  tensor: [],
};

/** The routes of all tasks. All models of a task share them. */
export const TASK_ROUTES: readonly OwnedRoute[] = Object.entries(ROUTES_BY_TASK).flatMap(([task, routes]) =>
  routes.map((route) => ({ ...route, task: task as TaskName })),
);

/** Returns the route of a task at a path; undefined if no task owns it. */
export function taskRouteAt(path: string): OwnedRoute | undefined {
  return TASK_ROUTES.find((route) => route.path === path);
}
