import type { TaskRoute } from '../contract/task-route.ts';

/** Routes of embedding models. */
export const EMBEDDING_ROUTES: readonly TaskRoute[] = [
  {
    method: 'POST',
    path: '/v1/embeddings',
    operation: 'embeddings',
    defaultModel: 'defaultEmbeddingModel',
    members: ['input', 'model', 'encoding_format', 'dimensions', 'truncate', 'user'],
    example: (model) => ({ model, input: 'Hello, world' }),
  },
];
