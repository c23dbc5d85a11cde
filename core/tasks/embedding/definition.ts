import * as v from 'valibot';
import { objectOf, oneOf, relativePath, wholeNumber } from '../../parse.ts';
import type { TaskDefinition } from '../contract/task-definition.ts';
import { checkEncoder, type EmbeddingModel, embeddingDimensions } from './embedding-model.ts';
import { DEFAULT_ENDPOINT_TOKENS, EMBEDDING_TASK } from './embedding-task.ts';

/** Lengths of vectors that a model was trained for besides its own (Matryoshka representations, arXiv 2205.13147). */
const matryoshkaDimensions = v.union(
  [
    v.literal(true),
    v.pipe(
      v.array(wholeNumber(1, 65_536)),
      v.minLength(1),
      v.transform((sizes) => sizes.toSorted((a, b) => a - b)),
    ),
  ],
  'must be true, or a list of the lengths that the model was trained for',
);

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
          matryoshkaDimensions: v.optional(
            v.pipe(
              matryoshkaDimensions,
              v.description(
                'Lengths of vectors that the model was trained for besides its own: a list, or true for every length. Requests may ask for these with dimensions.',
              ),
            ),
          ),
          acceptTokenIds: v.optional(
            v.pipe(
              v.boolean('must be true or false'),
              v.description("Whether requests may hold token ids of the model's own vocabulary instead of texts."),
            ),
            false,
          ),
        }),
        {},
      ),
    },
    limits: {
      maxTokens: v.optional(wholeNumber(1, 32_768), 512),
      overflow: v.optional(
        v.pipe(
          oneOf(['error', 'truncate']),
          v.description(
            'What happens to an input of more than maxTokens unless the request says so: error refuses it, truncate cuts its end.',
          ),
        ),
        'error',
      ),
    },
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
