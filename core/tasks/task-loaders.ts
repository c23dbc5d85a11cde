import type { Task } from './contract/task.ts';
import type { TaskName } from './tasks.ts';

/** How a function loads its model's task, and no other. */
const TASK_LOADERS: Readonly<Record<TaskName, () => Promise<Task>>> = {
  embedding: async () => (await import('./embedding/embedding-task.ts')).EMBEDDING_TASK,
  tensor: async () => (await import('./tensor/tensor-task.ts')).TENSOR_TASK,
};

/** Loads a task. */
export function loadTask(name: TaskName): Promise<Task> {
  return TASK_LOADERS[name]();
}
