import { type Body, type Encoded, jsonEncoded, readJsonBody } from '../../api/body.ts';
import { describeNumber, describeValue } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';
import { readObject } from '../../json/json-object.ts';
import { encodeFloat32Base64, writeFloat32 } from '../../tensors/float-text.ts';
import { checkItemCount, checkResultCount } from '../contract/item-count.ts';
import type { Codec } from '../contract/task.ts';
import { type EmbeddingContext, limitsOf } from './embedding-model.ts';
import {
  type EmbeddingLimits,
  type EmbeddingRequest,
  readDimensions,
  readTruncation,
  type TextItem,
  textItem,
} from './embedding-request.ts';
import { requestedDimensions } from './pooling.ts';
import { vectorBytes } from './vector-bytes.ts';

/** How vectors are written: a list of numbers, or base64 of little-endian float32. */
export type EncodingFormat = 'float' | 'base64';

/** A request of `POST /v1/embeddings`. */
export interface OpenAiEmbeddingRequest extends EmbeddingRequest {
  readonly encodingFormat: EncodingFormat;
}

/** A response of `POST /v1/embeddings`. */
export interface OpenAiEmbeddingResponse {
  /** Id of the model that served the request. */
  readonly model: string;
  /** One vector for each input, in the order of the inputs. */
  readonly embeddings: readonly Float32Array[];
  readonly encodingFormat: EncodingFormat;
  /** Tokens of all inputs, special tokens included. */
  readonly promptTokens: number;
}

/** Bytes around each vector of a response, in which every quotation mark is escaped. */
const ITEM_BYTES = JSON.stringify('{"object":"embedding","index":0,"embedding":[]},').length - 2;

/** The codec of `POST /v1/embeddings`. */
export const OPENAI_EMBEDDINGS: Codec<OpenAiEmbeddingRequest, readonly number[], Float32Array, EmbeddingContext> = {
  decode: (body: Body, context) => decodeOpenAiEmbeddings(readJsonBody(body), limitsOf(context)),
  checkSize: (request, context, maxBytes) => {
    const { items, encodingFormat, param } = request;
    const bytesAs = (form: EncodingFormat) => ITEM_BYTES + vectorBytes(form, request, context);
    const base64 = { text: 'encoding_format base64', itemBytes: bytesAs('base64') };
    const advice = encodingFormat === 'base64' ? undefined : base64;
    checkResultCount(items.length, bytesAs(encodingFormat), { maxBytes, param, advice });
  },
  encode: (vectors, { request, features }, { model }): Encoded => {
    const { encodingFormat } = request;
    const promptTokens = features.reduce((sum, ids) => sum + ids.length, 0);
    const embeddings = vectors.map((vector) => requestedDimensions(vector, request));
    return jsonEncoded(encodeOpenAiEmbeddings({ model: model.id, embeddings, encodingFormat, promptTokens }));
  },
};

/**
 * Reads the body of `POST /v1/embeddings` (OpenAI API reference, "Create embeddings"). Unknown members are ignored
 * because clients send extras.
 *
 * @param body - The parsed JSON.
 * @throws AppError `INVALID_BODY`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeOpenAiEmbeddings(body: unknown, limits: EmbeddingLimits): OpenAiEmbeddingRequest {
  const { input, model, encoding_format, dimensions, truncate } = readObject(body, 'body');
  checkModel(model);
  return {
    param: 'input',
    items: readInput(input, limits),
    encodingFormat: readEncodingFormat(encoding_format),
    dimensions: readDimensions(dimensions, limits),
    truncation: readTruncation(truncate, limits),
  };
}

/** The request reached the model that it names; without a name it is served by the model that received it. */
function checkModel(value: unknown): void {
  if (value === undefined || (typeof value === 'string' && value !== '')) return;
  const got = value === '' ? 'an empty string' : describeValue(value);
  throw new AppError('INVALID_BODY', `model must be the id of a model, got ${got}`, { param: 'model' });
}

function readEncodingFormat(value: unknown): EncodingFormat {
  if (value === undefined) return 'float';
  if (value === 'float' || value === 'base64') return value;
  throw new AppError('INVALID_PARAMETER', `encoding_format must be float or base64, got ${describeValue(value)}`, {
    param: 'encoding_format',
  });
}

function readInput(input: unknown, limits: EmbeddingLimits): TextItem[] {
  if (typeof input === 'string') return [textItem(input, 'input')];
  const { maxItems, vocabularySize } = limits;
  if (!Array.isArray(input)) {
    const ids = vocabularySize === undefined ? '' : ', token ids or an array of token ids';
    throw invalidInput(
      'input',
      `must be a string${ids === '' ? ' or' : ','} an array of strings${ids}`,
      describeValue(input),
    );
  }
  const [first] = input;
  if (vocabularySize === undefined && holdsTokenIds(first)) throw tokenIdsRefused();
  if (typeof first === 'number') return [tokenItem(input, 'input', limits)];
  checkItemCount(input.length, maxItems, 'input');
  return input.map((item: unknown, index) => readItem(item, Array.isArray(first), `input[${index}]`, limits));
}

function holdsTokenIds(first: unknown): boolean {
  return typeof first === 'number' || (Array.isArray(first) && first.every((id) => typeof id === 'number'));
}

/** Ids of another vocabulary would give vectors that look right and are not. LangChain sends those of OpenAI's models. */
function tokenIdsRefused(): AppError {
  return new AppError(
    'INVALID_BODY',
    'input holds token ids, which this model does not accept, because most clients send those of another vocabulary: send texts; with LangChain set check_embedding_ctx_length=False',
    { param: 'input' },
  );
}

/** All items are of the kind of the first. */
function readItem(item: unknown, isTokens: boolean, param: string, limits: EmbeddingLimits): TextItem {
  if (isTokens) {
    if (Array.isArray(item)) return tokenItem(item, param, limits);
    throw invalidInput(param, 'must be an array of token ids, as the first item is', describeValue(item));
  }
  if (typeof item === 'string') return textItem(item, param);
  throw invalidInput(param, 'must be a string', describeValue(item));
}

function tokenItem(ids: readonly unknown[], param: string, limits: EmbeddingLimits): TextItem {
  if (ids.length === 0) throw new AppError('INPUT_EMPTY', `${param} contains no token ids`, { param });
  const end = limits.vocabularySize ?? 2 ** 31;
  for (const [index, id] of ids.entries()) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= end) {
      throw invalidInput(
        `${param}[${index}]`,
        `must be a token id, a whole number from 0 to ${end - 1}`,
        describeNumber(id),
      );
    }
  }
  return { kind: 'tokens', ids: ids as readonly number[] };
}

function invalidInput(param: string, rule: string, got: string): AppError {
  return new AppError('INVALID_BODY', `${param} ${rule}, got ${got}`, { param });
}

/**
 * Writes the response of `POST /v1/embeddings`.
 *
 * @returns JSON text.
 * @throws AppError `ANSWER_NOT_FINITE` when a vector holds NaN or infinity.
 */
export function encodeOpenAiEmbeddings(response: OpenAiEmbeddingResponse): string {
  const { model, embeddings, encodingFormat, promptTokens } = response;
  const data = embeddings.map((vector, index) => {
    const embedding = encodingFormat === 'base64' ? `"${encodeFloat32Base64(vector)}"` : `[${writeFloat32(vector)}]`;
    return `{"object":"embedding","index":${index},"embedding":${embedding}}`;
  });
  const usage = `{"prompt_tokens":${promptTokens},"total_tokens":${promptTokens}}`;
  return `{"object":"list","data":[${data.join(',')}],"model":${JSON.stringify(model)},"usage":${usage}}`;
}
