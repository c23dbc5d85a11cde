import { AppError } from '../../../core/errors.ts';
import { decodeOpenAiEmbeddings, encodeOpenAiEmbeddings } from '../../../core/protocols/openai-embeddings.ts';
import { type Call, embeddingLimits, type InferenceDeps, readsTexts } from './inference.ts';
import { type PreparedRequest, preparedTexts } from './prepared-request.ts';
import { tokenize } from './tokenize.ts';

/**
 * Prepares the body of `POST /v1/embeddings`.
 *
 * @throws AppError `ROUTE_NOT_FOUND` when the model reads no text, and what the protocol's decoder throws.
 */
export function prepareEmbeddings(body: unknown, call: Call, deps: InferenceDeps): PreparedRequest {
  if (!readsTexts(deps)) throw new AppError('ROUTE_NOT_FOUND', 'the model reads no text');
  const request = decodeOpenAiEmbeddings(body, embeddingLimits(call, deps));
  const tokenized = tokenize(request, 'input', call, deps);
  const { model, encodingFormat } = request;
  return preparedTexts(tokenized, (embeddings) =>
    encodeOpenAiEmbeddings({ model, embeddings, encodingFormat, promptTokens: tokenized.tokens }),
  );
}
