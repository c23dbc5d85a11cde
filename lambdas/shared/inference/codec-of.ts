import { AppError } from '../../../core/errors.ts';
import type { Codec } from '../../../core/tasks/contract/task.ts';
import type { InferenceDeps } from './inference.ts';

/**
 * Finds the codec of an operation. Codecs that few callers use are loaded by their first request.
 *
 * @throws AppError `ROUTE_NOT_FOUND` when the model's task has no such operation.
 */
export function codecOf(operation: string, { task }: Pick<InferenceDeps, 'task'>): Codec | Promise<Codec> {
  const source = Object.hasOwn(task.codecs, operation) ? task.codecs[operation] : undefined;
  if (source !== undefined) return source();
  throw new AppError('ROUTE_NOT_FOUND', `models of the task ${task.name} do not serve ${operation}`);
}
