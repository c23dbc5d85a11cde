/**
 * Media type of requests and responses with binary tensors, without the length of their JSON part, which follows.
 *
 * The protocol states that length in the header `Inference-Header-Content-Length`. Amazon SageMaker removes unknown
 * headers, so that it is in the media type there. Here it is the form of such bodies wherever they have no headers: in
 * records, in messages and in objects.
 *
 * @see https://github.com/triton-inference-server/server/blob/main/src/sagemaker_server.cc
 */
export const TRITON_BINARY_TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';

/** Media type of the protocol's gRPC messages as bodies. */
export const PROTOBUF_MEDIA_TYPE = 'application/x-protobuf';

/**
 * Reads the length of the JSON part from a media type.
 *
 * @returns Undefined for any other media type; NaN for a length that is not a whole number.
 */
export function jsonLengthOf(mediaType: string): number | undefined {
  if (!mediaType.startsWith(TRITON_BINARY_TYPE)) return undefined;
  return readJsonLength(mediaType.slice(TRITON_BINARY_TYPE.length));
}

/** Reads the length of a JSON part; NaN for anything but a whole number. */
export function readJsonLength(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
