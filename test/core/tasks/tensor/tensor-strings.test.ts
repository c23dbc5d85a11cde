import { expect, test } from '@jest/globals';
import { TASKS } from '../../../../core/tasks/tasks.ts';
import { contextOf } from '../contexts.ts';

const CONTEXT = contextOf('tensor', {
  inputs: [{ name: 'words', datatype: 'BYTES', shape: [-1] }],
  outputs: [{ name: 'words', datatype: 'BYTES', shape: [-1] }],
  rows: 'independent',
});

async function prepare(operation: 'predict' | 'infer', data: readonly string[]) {
  const { task } = TASKS.tensor;
  const codec = await task.codecs[operation]?.();
  const inputs = [{ name: 'words', datatype: 'BYTES', shape: [data.length], data }];
  const value = operation === 'predict' ? { instances: data } : { inputs };
  return task.prepare(await codec?.decode({ mediaType: 'application/json', value }, CONTEXT), CONTEXT);
}

test.each([
  ['predict', 'a\0b', 'the character NUL'],
  ['infer', 'a\0b', 'the character NUL'],
  ['predict', 'a\ud800', 'a lone surrogate'],
  ['infer', '\udc00b', 'a lone surrogate'],
] as const)('%s refuses the string %j, which the model would read as another', async (operation, text, rule) => {
  await expect(prepare(operation, ['fine', text])).rejects.toMatchObject({
    code: 'INVALID_TENSOR',
    message: `element 1 of input words must not hold ${rule}`,
  });
});

test('strings of any whole characters reach the model', async () => {
  expect(await prepare('infer', ['', '\u{1F600}', '\n'])).toHaveLength(3);
});
