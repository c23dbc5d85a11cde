import { expect, test } from '@jest/globals';
import { jsonEncoded, readJsonBody } from '../../../core/api/body.ts';
import { AppError } from '../../../core/errors.ts';
import { readArray, readObject } from '../../../core/json/json-object.ts';
import { startFingerprint } from '../../../core/tasks/contract/fingerprint.ts';
import type { Codec, Task, Tensors } from '../../../core/tasks/contract/task.ts';
import { testTask } from '../../contracts/task.ts';
import { contextOf } from './contexts.ts';
import { serveTask } from './serve-task.ts';

/** Numbers in, a sign for each out. */
interface SignRequest {
  readonly numbers: readonly number[];
}

type Sign = 'negative' | 'positive';

const SIGN_CODEC: Codec<SignRequest, number, Sign> = {
  decode: (body) => {
    const numbers = readArray(readObject(readJsonBody(body), 'body')['numbers'], 'numbers');
    if (numbers.every((value) => typeof value === 'number')) return { numbers };
    throw new AppError('INVALID_BODY', 'numbers must contain numbers');
  },
  encode: (signs) => jsonEncoded(JSON.stringify({ signs })),
};

/** All that a kind of model takes: one object. A registered task would be a folder with it. */
const SIGN_TASK: Task<SignRequest, number, Sign> = {
  name: 'sign',
  preprocessors: [],
  codecs: { predict: () => SIGN_CODEC, infer: () => SIGN_CODEC },
  describe: (signature) => signature,
  prepare: ({ numbers }) => numbers,
  tokens: () => 0,
  cost: () => 1,
  budget: ({ batching }) => ({ maxCost: batching.maxItems, maxItems: batching.maxItems, concurrency: 1 }),
  runKey: () => 'numbers',
  layOut: (batch) => ({ x: { datatype: 'FP32', shape: [batch.length], data: Float32Array.from(batch) } }),
  read: ({ score }, batch) => {
    if (score?.data.length !== batch.length)
      throw new AppError('BAD_GATEWAY', 'the model gave no score for each number');
    return Array.from(score.data as Float32Array, (value) => (value < 0 ? 'negative' : 'positive'));
  },
  fingerprint: (hash, number, context) => {
    const bytes = startFingerprint('sign', context);
    bytes.text(String(number));
    return hash(bytes.written());
  },
  resultCodec: {
    encode: (sign) => new TextEncoder().encode(sign),
    decode: (bytes) => new TextDecoder().decode(bytes) as Sign,
  },
  compare: (a, b) => ({ measure: 'equal labels', value: a === b ? 1 : 0 }),
  warmUp: { features: () => 0, isTypical: true },
  blank: ({ x }) => ({
    score: { datatype: 'FP32', shape: x?.shape ?? [], data: new Float32Array(x?.data.length ?? 0) },
  }),
};

const SUBJECT = {
  task: SIGN_TASK as Task,
  context: contextOf('tensor', {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [{ name: 'score', datatype: 'FP32', shape: [-1] }],
  }),
  model: ({ x }: Tensors) => ({ score: { datatype: 'FP32' as const, shape: x?.shape ?? [], data: x?.data ?? [] } }),
  bodies: { predict: { numbers: [-1, 2, -1] }, infer: { numbers: [-1, 2, -1] } },
};

testTask('sign', SUBJECT);

test('a third kind of model is served by one object, with its own results cached item by item', async () => {
  const served = serveTask(SUBJECT);
  expect(await served.ask('predict', { numbers: [-1, 2] })).toMatchObject({
    body: '{"signs":["negative","positive"]}',
    cache: 'MISS',
    items: 2,
  });
  expect(await served.ask('predict', { numbers: [2, 7, -1] })).toMatchObject({
    body: '{"signs":["positive","positive","negative"]}',
    cache: 'PARTIAL',
  });
  expect(served.runs()).toBe(2);
});

test('an operation that a kind of model does not have is not found', async () => {
  await expect(serveTask(SUBJECT).ask('embeddings', {})).rejects.toMatchObject({ code: 'ROUTE_NOT_FOUND' });
});
