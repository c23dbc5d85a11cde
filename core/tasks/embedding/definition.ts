import * as v from 'valibot';
import { key, objectOf, oneOf, relativePath, wholeNumber } from '../../parse.ts';
import type { TaskDefinition } from '../contract/task-definition.ts';
import { checkEncoder, checkMatryoshka, type EmbeddingModel, embeddingDimensions } from './embedding-model.ts';
import { DEFAULT_ENDPOINT_TOKENS, EMBEDDING_TASK } from './embedding-task.ts';
import { suggestEmbeddingKeys } from './suggest-keys.ts';

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
  summary: 'turns texts into vectors',
  keys: {
    manifest: {
      tokenizer: key(
        v.optional(relativePath('the model folder'), 'tokenizer.json'),
        "Path of the tokenizer inside the model folder, in the format of Hugging Face's `tokenizers` library.",
        'tokenizer.json',
      ),
      embedding: key(
        v.optional(
          objectOf({
            pooling: key(
              v.optional(oneOf(['mean', 'cls']), 'mean'),
              'How the vectors of the tokens become one vector: their mean, or the first one. The `1_Pooling/config.json` of a Sentence Transformers model says which.',
              'cls',
            ),
            normalize: key(
              v.optional(v.boolean('must be true or false'), true),
              'Whether vectors are scaled to length 1, so that their dot product is the cosine similarity.',
              false,
            ),
            matryoshkaDimensions: key(
              v.optional(matryoshkaDimensions),
              'Lengths of vectors that the model was trained for besides its own: a list, or `true` for every length. Requests may ask for these with `dimensions`.',
              [256, 512],
            ),
            acceptTokenIds: key(
              v.optional(v.boolean('must be true or false'), false),
              "Whether requests may contain token ids of the model's own vocabulary instead of texts.",
              true,
            ),
          }),
          {},
        ),
        'How texts become vectors.',
      ),
    },
    limits: {
      maxItems: key(
        v.optional(wholeNumber(1, 2048), 2048),
        'Maximum number of texts in one request. They run in micro-batches, whose size `batching` sets.',
        128,
      ),
      maxRequestTokens: key(
        v.optional(wholeNumber(1, 1_000_000), 300_000),
        'Maximum number of tokens of all inputs of a request together, special tokens included.',
        100_000,
      ),
      maxTokens: key(
        v.optional(wholeNumber(1, 32_768), 512),
        'Maximum number of tokens of an input, special tokens included. No more than the model was trained for.',
        256,
      ),
      overflow: key(
        v.optional(oneOf(['error', 'truncate']), 'error'),
        'Treatment of an input with more than `maxTokens`, unless the request says otherwise: `error` refuses it, `truncate` cuts its end.',
        'truncate',
      ),
    },
    batching: {
      maxTokens: key(
        v.optional(wholeNumber(1, 65_536), 256),
        'Maximum number of tokens in one run of the model, padding included.',
        512,
      ),
    },
    sagemaker: {
      maxBatchTokens: key(
        v.optional(wholeNumber(1, 65_536), DEFAULT_ENDPOINT_TOKENS),
        'Maximum number of tokens of one request to the endpoint, padding included.',
        8192,
      ),
    },
  },
  tei: {
    environment: ({ embedding, compute }: EmbeddingModel) => ({
      POOLING: embedding.pooling,
      MAX_BATCH_TOKENS: String(compute.maxBatchTokens ?? DEFAULT_ENDPOINT_TOKENS),
    }),
  },
  usesRows: false,
  describeLimits: ({ limits, embedding }: EmbeddingModel, signature) => ({
    max_model_len: limits.maxTokens,
    max_input_tokens: limits.maxTokens,
    max_client_batch_size: limits.maxItems,
    max_request_tokens: limits.maxRequestTokens,
    overflow: limits.overflow,
    dimensions: embeddingDimensions(signature),
    matryoshka_dimensions: embedding.matryoshkaDimensions ?? [],
    accepts_token_ids: embedding.acceptTokenIds,
  }),
  checkSignature: (model: EmbeddingModel, signature) => {
    checkEncoder(model.id, signature);
    checkMatryoshka(model, signature);
  },
  suggestKeys: suggestEmbeddingKeys,
  resultBytes: (signature) => embeddingDimensions(signature) * Float32Array.BYTES_PER_ELEMENT,
};
