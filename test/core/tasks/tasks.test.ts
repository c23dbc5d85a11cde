import { expect, test } from '@jest/globals';
import { loadTask } from '../../../core/tasks/task-loaders.ts';
import { TASK_ROUTES } from '../../../core/tasks/task-routes.ts';
import { TASKS, type TaskName, taskOf } from '../../../core/tasks/tasks.ts';
import { testTask } from '../../contracts/task.ts';
import { manifestOf } from './contexts.ts';
import { SUBJECTS } from './subjects.ts';

const NAMES = Object.keys(TASKS) as TaskName[];

for (const name of NAMES) testTask(name, SUBJECTS[name]);

test.each(NAMES)('functions load the same task %s that packing and synthesis use', async (name) => {
  expect(await loadTask(name)).toBe(taskOf({ task: name }).task);
  expect(taskOf({ task: name }).task.name).toBe(name);
});

test.each(NAMES)('a manifest of the task %s needs nothing but its id, its task and its versions', (name) => {
  const maxItems = expect.any(Number);
  expect(manifestOf(name)).toMatchObject({ task: name, limits: { maxItems }, batching: { maxItems: 64 } });
});

test.each(NAMES)('the definition of the task %s accepts and describes the model of its contract test', (name) => {
  const { checkSignature, describeLimits, resultBytes, task } = taskOf({ task: name });
  const { packed } = SUBJECTS[name].context.version;
  expect(() => checkSignature(manifestOf(name), packed)).not.toThrow();
  expect(resultBytes(packed)).toBeGreaterThan(0);
  expect(describeLimits(manifestOf(name), packed)).toMatchObject({ max_client_batch_size: expect.any(Number) });
  const { inputs, outputs } = task.describe(packed);
  for (const { shape } of [...inputs, ...outputs]) expect(shape[0]).toBe(-1);
});

test('every route of a task has a codec, and no two tasks own a path', () => {
  for (const { task, operation } of TASK_ROUTES) expect(taskOf({ task }).task.codecs).toHaveProperty(operation);
  expect(new Set(TASK_ROUTES.map(({ path }) => path)).size).toBe(TASK_ROUTES.length);
});

test.each(TASK_ROUTES)(
  'the example of $path is a request that its codec takes',
  async ({ task, operation, example }) => {
    const { context } = SUBJECTS[task];
    const codec = await taskOf({ task }).task.codecs[operation]?.();
    expect(() => codec?.decode({ mediaType: 'application/json', value: example('m') }, context)).not.toThrow();
  },
);
