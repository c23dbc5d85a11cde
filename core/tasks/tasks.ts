import type { TaskDefinition } from './contract/task-definition.ts';
import { EMBEDDING } from './embedding/definition.ts';
import { TENSOR } from './tensor/definition.ts';

/**
 * Every task, for packing, synthesis and the command line. Functions that serve models load theirs by `loadTask` instead,
 * without the schemas of manifests. A new task is one folder beside these, and one line here, in `TASK_LOADERS` and in
 * `TASK_ROUTES`.
 */
export const TASKS = { embedding: EMBEDDING, tensor: TENSOR } as const satisfies Readonly<
  Record<string, TaskDefinition>
>;

/** The name of a task, as manifests have it. */
export type TaskName = keyof typeof TASKS;

/** Returns the task of a model. */
export function taskOf({ task }: { readonly task: TaskName }): TaskDefinition {
  return TASKS[task];
}
