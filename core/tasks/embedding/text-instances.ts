import { type Encoded, jsonEncoded, readJsonBody } from '../../api/body.ts';
import { describeValue } from '../../describe-value.ts';
import { AppError } from '../../errors.ts';
import { readArray, readObject, refuseUnknownMembers } from '../../json/json-object.ts';
import { writeFloat32 } from '../../tensors/float-text.ts';
import { checkItemCount, checkResultCount } from '../contract/item-count.ts';
import { readPredictBody } from '../contract/predict-body.ts';
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

/** The codec of `POST /v1/models/{id}:predict` for embedding models. */
export const TEXT_INSTANCES: Codec<EmbeddingRequest, readonly number[], Float32Array, EmbeddingContext> = {
  decode: (body, context) => decodeTextInstances(readJsonBody(body), limitsOf(context)),
  checkSize: (request, context, maxBytes) => {
    const { items, param } = request;
    checkResultCount(items.length, vectorBytes('float', request, context), { maxBytes, param });
  },
  encode: (vectors, { request }): Encoded =>
    jsonEncoded(encodeVectorPredictions(vectors.map((vector) => requestedDimensions(vector, request)))),
};

/**
 * Reads the body of a predict request to an embedding model: texts, or objects with a member `text`.
 *
 * @param body - The parsed JSON.
 * @throws AppError `INVALID_BODY`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeTextInstances(body: unknown, limits: EmbeddingLimits): EmbeddingRequest {
  const object = readPredictBody(body, ['instances', 'parameters']);
  const instances = readArray(object['instances'], 'instances');
  const parameters = object['parameters'] === undefined ? {} : readObject(object['parameters'], 'parameters');
  refuseUnknownMembers(parameters, ['truncate', 'dimensions'], 'parameters');
  checkItemCount(instances.length, limits.maxItems, 'instances');
  return {
    param: 'instances',
    items: instances.map((instance, index) => readTextInstance(instance, `instances[${index}]`)),
    dimensions: readDimensions(parameters['dimensions'], limits, 'parameters.dimensions'),
    truncation: readTruncation(parameters['truncate'], limits, 'parameters.truncate'),
  };
}

function readTextInstance(instance: unknown, param: string): TextItem {
  if (typeof instance === 'string') return textItem(instance, param);
  if (typeof instance !== 'object' || instance === null || Array.isArray(instance)) {
    throw new AppError('INVALID_BODY', `${param} must be a string or {"text": …}, got ${describeValue(instance)}`, {
      param,
    });
  }
  const object = readObject(instance, param);
  refuseUnknownMembers(object, ['text'], param);
  const { text } = object;
  if (typeof text === 'string') return textItem(text, `${param}.text`);
  throw new AppError('INVALID_BODY', `${param}.text must be a string, got ${describeValue(text)}`, {
    param: `${param}.text`,
  });
}

/**
 * Writes the predictions of an embedding model: an array of numbers for each instance.
 *
 * @returns JSON text.
 * @throws AppError `ANSWER_NOT_FINITE` for NaN and infinity.
 */
export function encodeVectorPredictions(embeddings: readonly Float32Array[]): string {
  return `{"predictions":[${embeddings.map((vector) => `[${writeFloat32(vector)}]`).join(',')}]}`;
}
