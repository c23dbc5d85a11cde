import * as v from 'valibot';
import { objectOf, oneOf, relativePath, wholeNumber } from '../../parse.ts';
import type { TaskDefinition } from '../contract/task-definition.ts';
import { checkEncoder, type EmbeddingModel, embeddingDimensions } from './embedding-model.ts';
import { DEFAULT_ENDPOINT_TOKENS, EMBEDDING_TASK } from './embedding-task.ts';

/** Text embedding, as packing and synthesis need it. */
export const EMBEDDING: TaskDefinition = {
  task: EMBEDDING_TASK,
  keys: {
    manifest: {
      tokenizer: v.optional(relativePath('the model folder'), 'tokenizer.json'),
      embedding: v.optional(
        objectOf({
          pooling: v.optional(oneOf(['mean', 'cls']), 'mean'),
          normalize: v.optional(v.boolean('must be true or false'), true),
        }),
        {},
      ),
    },
    limits: { maxTokens: v.optional(wholeNumber(1, 32_768), 512) },
    batching: { maxTokens: v.optional(wholeNumber(1, 65_536), 256) },
    sagemaker: { maxBatchTokens: v.optional(wholeNumber(1, 65_536), DEFAULT_ENDPOINT_TOKENS) },
  },
  tei: {
    environment: ({ embedding, compute }: EmbeddingModel) => ({
      POOLING: embedding.pooling,
      MAX_BATCH_TOKENS: String(compute.maxBatchTokens ?? DEFAULT_ENDPOINT_TOKENS),
    }),
  },
  usesRows: false,
  checkSignature: checkEncoder,
  resultBytes: (signature) => embeddingDimensions(signature) * Float32Array.BYTES_PER_ELEMENT,
};
