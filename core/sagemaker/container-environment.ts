import type { Manifest } from '../models/manifest.ts';
import { taskOf } from '../tasks/tasks.ts';
import { MAX_INVOCATION_BYTES, MODEL_FOLDER } from './endpoint-contract.ts';

/**
 * Returns environment variables of a model's containers.
 *
 * @see https://github.com/triton-inference-server/server/blob/main/docs/customization_guide/deploy.md
 * @see https://github.com/huggingface/text-embeddings-inference/blob/main/router/src/main.rs
 */
export function containerEnvironment(manifest: Manifest): Record<string, string> {
  const { id, compute, batching } = manifest;
  if (compute.target !== 'sagemaker' || compute.container === 'triton') {
    return { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: id };
  }
  return {
    HF_MODEL_ID: MODEL_FOLDER,
    DTYPE: 'float16',
    ...taskOf(manifest).tei?.environment(manifest),
    MAX_CLIENT_BATCH_SIZE: String(batching.maxItems),
    // It counts texts, not requests.
    MAX_CONCURRENT_REQUESTS: String(compute.queue.maxRequests * batching.maxItems),
    PAYLOAD_LIMIT: String(MAX_INVOCATION_BYTES),
  };
}
