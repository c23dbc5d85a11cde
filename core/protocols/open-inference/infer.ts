import { acceptsBytes, firstAccepted } from '../../api/accepted-media-type.ts';
import { type Body, type Encoded, jsonEncoded, readJsonBody } from '../../api/body.ts';
import { AppError } from '../../errors.ts';
import { decodeInferRequest, readFlag, writeInferResponse } from './json.ts';
import { jsonLengthOf, PROTOBUF_MEDIA_TYPE } from './media-types.ts';
import type { InferRequest, InferResponse, InferTarget, RequestedOutput, ResponseForm } from './model.ts';

/** How the response to a request is written. */
export interface InferForm {
  readonly form: ResponseForm;
  /** Whether an output that does not say so itself is written as bytes. */
  readonly isBinary: boolean;
}

/** An infer request in any form, and the form of its response. */
export type FormedRequest = InferRequest & InferForm;

/**
 * Reads an infer request: JSON, JSON with binary tensors, or a message of the protocol's gRPC service. Code for anything
 * but JSON is loaded by the first request that needs it.
 *
 * @returns A promise only for forms whose code is loaded on demand.
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE` for other media types, and the code of the problem with the body.
 */
export function decodeInfer(body: Body, target: InferTarget): FormedRequest | Promise<FormedRequest> {
  const { mediaType } = body;
  const jsonLength = jsonLengthOf(mediaType);
  if (jsonLength !== undefined) return decodeBinary(bytesOf(body), jsonLength, body.accept, target);
  if (mediaType === PROTOBUF_MEDIA_TYPE) return decodeProtobuf(bytesOf(body), body.accept, target);
  return formed(decodeInferRequest(readJsonBody(body)), body.accept, 'binary');
}

async function decodeBinary(bytes: Uint8Array, jsonLength: number, accept: string | undefined, target: InferTarget) {
  const { decodeBinaryInfer } = await import('./binary.ts');
  return formed(decodeBinaryInfer(bytes, jsonLength, target.inputs), accept, 'binary');
}

async function decodeProtobuf(bytes: Uint8Array, accept: string | undefined, target: InferTarget) {
  const { decodeProtobufInfer } = await import('./protobuf.ts');
  return formed(decodeProtobufInfer(bytes, target), accept, 'protobuf');
}

function bytesOf(body: Body): Uint8Array {
  if ('bytes' in body) return body.bytes;
  throw new AppError('INVALID_BODY', 'the body must arrive as bytes, got text: send it as application/octet-stream');
}

/** Callers that can receive no bytes get JSON: every client of the protocol reads it as well. */
function formed(request: InferRequest, accept: string | undefined, usual: 'binary' | 'protobuf'): FormedRequest {
  const isBinary = readFlag(request.parameters['binary_data_output'], 'parameters.binary_data_output') ?? false;
  if (accept === undefined) return { ...request, form: usual, isBinary };
  if (firstAccepted(accept) === PROTOBUF_MEDIA_TYPE) return { ...request, form: 'protobuf', isBinary };
  return { ...request, form: acceptsBytes(accept) ? usual : 'json', isBinary };
}

/**
 * Writes the response to an infer request, in the form that {@link decodeInfer} found.
 *
 * @param outputs - The requested outputs, in the order of the response's.
 * @param hasRows - Whether the first dimension of the outputs counts rows.
 * @returns A promise only for forms whose code is loaded on demand.
 */
export function encodeInfer(
  response: InferResponse,
  { form, isBinary }: InferForm,
  outputs: readonly RequestedOutput[],
  hasRows: boolean,
): Encoded | Promise<Encoded> {
  const hasClasses = outputs.some(({ classes }) => classes !== undefined);
  const hasBytes = form === 'binary' && outputs.some((output) => output.isBinary ?? isBinary);
  if (!hasClasses && !hasBytes && form !== 'protobuf') return jsonEncoded(writeInferResponse(response));
  return encodeOther(response, { form: form === 'binary' && !hasBytes ? 'json' : form, isBinary }, outputs, hasRows);
}

async function encodeOther(
  given: InferResponse,
  { form, isBinary }: InferForm,
  outputs: readonly RequestedOutput[],
  hasRows: boolean,
): Promise<Encoded> {
  const response = await withClasses(given, outputs, hasRows);
  switch (form) {
    case 'protobuf': {
      const { encodeProtobufInfer } = await import('./protobuf.ts');
      return encodeProtobufInfer(response);
    }
    case 'binary': {
      const { encodeBinaryInfer } = await import('./binary.ts');
      return encodeBinaryInfer(response, (index) => outputs[index]?.isBinary ?? isBinary);
    }
    default:
      return jsonEncoded(writeInferResponse(response));
  }
}

async function withClasses(
  response: InferResponse,
  requested: readonly RequestedOutput[],
  hasRows: boolean,
): Promise<InferResponse> {
  if (requested.every(({ classes }) => classes === undefined)) return response;
  const { classify } = await import('./classification.ts');
  const outputs = response.outputs.map((output, index) => {
    const classes = requested[index]?.classes;
    return classes === undefined ? output : classify(output, classes, hasRows);
  });
  return { ...response, outputs };
}
