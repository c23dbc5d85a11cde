import type { EmbeddingContext } from './embedding-model.ts';
import { embeddingDimensions } from './embedding-model.ts';
import type { EmbeddingRequest } from './embedding-request.ts';

/**
 * Bytes of a number in JSON, comma included: what vectors of 128 to 3072 dimensions need at least, measured on normally
 * distributed ones. Vectors of length one have smaller numbers, which start with zeros.
 */
const NUMBER_BYTES = { normalized: 11.9, any: 10.8 } as const;

/** How a vector is written in a response. */
export type VectorForm = 'float' | 'base64';

/** Returns the bytes of a vector alone in a JSON response: exact for base64, the minimum for numbers. */
export function vectorBytes(
  form: VectorForm,
  { dimensions }: Pick<EmbeddingRequest, 'dimensions'>,
  { model, version }: EmbeddingContext,
): number {
  const length = dimensions ?? embeddingDimensions(version.packed);
  if (form === 'base64') return 4 * Math.ceil((length * Float32Array.BYTES_PER_ELEMENT) / 3);
  const isNormalized = model.embedding.normalize || dimensions !== undefined;
  return length * (isNormalized ? NUMBER_BYTES.normalized : NUMBER_BYTES.any);
}
