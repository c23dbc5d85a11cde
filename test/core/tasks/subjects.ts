import type { Tensors } from '../../../core/tasks/contract/task.ts';
import { TASKS, type TaskName } from '../../../core/tasks/tasks.ts';
import type { TaskSubject } from '../../contracts/task.ts';
import { contextOf, embeddingContext } from './contexts.ts';

/** A text encoder whose hidden states are made of the token ids alone. */
function encode({ input_ids: ids }: Tensors) {
  const width = 4;
  const data = Float32Array.from({ length: (ids?.data.length ?? 0) * width }, (_, place) =>
    Math.sin(Number(ids?.data[Math.floor(place / width)]) * (1 + (place % width))),
  );
  return { last_hidden_state: { datatype: 'FP32' as const, shape: [...(ids?.shape ?? []), width], data } };
}

/** Doubles its input. */
function double({ x }: Tensors) {
  const data = Float32Array.from(x?.data as Float32Array, (value) => value * 2);
  return { y: { datatype: 'FP32' as const, shape: x?.shape ?? [], data } };
}

const ROWS = [
  [1, 2],
  [3, 4],
  [1, 2],
];

/** A model of every registered task, for the contract that each fulfils. */
export const SUBJECTS: Readonly<Record<TaskName, TaskSubject>> = {
  embedding: {
    task: TASKS.embedding.task,
    context: embeddingContext(),
    model: encode,
    bodies: {
      embeddings: { model: 'm', input: ['one two', 'three', 'one two'] },
      predict: { instances: ['one two', { text: 'three' }, 'one two'] },
      infer: {
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [3], data: ['one two', 'three', 'one two'] }],
      },
    },
  },
  tensor: {
    task: TASKS.tensor.task,
    context: contextOf('tensor', {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
      rows: 'independent',
    }),
    model: double,
    bodies: {
      predict: { instances: ROWS },
      infer: { inputs: [{ name: 'x', datatype: 'FP32', shape: [3, 2], data: ROWS }] },
    },
  },
};
