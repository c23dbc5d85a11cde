import { expect, it } from '@jest/globals';
import { openAiModel, openAiModelList } from '../../../core/protocols/openai-models.ts';

it('lists models in the order given', () => {
  expect(openAiModelList([openAiModel('b', {}), openAiModel('a', {})])).toEqual({
    object: 'list',
    data: [
      { id: 'b', object: 'model', created: 0, owned_by: 'tensorgate' },
      { id: 'a', object: 'model', created: 0, owned_by: 'tensorgate' },
    ],
  });
});
