import { AppError } from '../errors.ts';
import { MODEL_ID_PATTERN } from '../models/model-id.ts';

/** An inference route as jobs and batches name it. */
export interface JobEndpoint {
  readonly operation: 'embeddings' | 'predict' | 'infer';
  /** Model of the path; absent for `/v1/embeddings`, whose body names it. */
  readonly model?: string;
  /** Version of the path. */
  readonly version?: string;
}

/**
 * Reads the path of an inference route: `/v1/embeddings`, `/v1/models/{id}:predict`, `/v2/models/{id}/infer` or
 * `/v2/models/{id}/versions/{version}/infer`.
 *
 * @throws AppError `INVALID_PARAMETER` when it is another path.
 */
export function parseEndpoint(path: string, param = 'endpoint'): JobEndpoint {
  if (path === '/v1/embeddings') return { operation: 'embeddings' };
  const predict = /^\/v1\/models\/([^/:]+):predict$/.exec(path);
  if (predict?.[1] !== undefined && MODEL_ID_PATTERN.test(predict[1])) {
    return { operation: 'predict', model: predict[1] };
  }
  const infer = /^\/v2\/models\/([^/]+)(?:\/versions\/(\d{1,9}))?\/infer$/.exec(path);
  if (infer?.[1] !== undefined && MODEL_ID_PATTERN.test(infer[1])) {
    return { operation: 'infer', model: infer[1], ...(infer[2] === undefined ? {} : { version: infer[2] }) };
  }
  throw new AppError(
    'INVALID_PARAMETER',
    `${param} must be /v1/embeddings, /v1/models/{id}:predict, /v2/models/{id}/infer or /v2/models/{id}/versions/{version}/infer`,
    { param },
  );
}
