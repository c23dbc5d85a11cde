/**
 * Media types that API Gateway passes as bytes. It decides by the content type of a request, and for a response by the
 * media type that the request accepts first. The API is deployed with this list, and functions consult it: bytes for any
 * other caller would arrive as base64 text.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
 */
export const BINARY_MEDIA_TYPES: readonly string[] = [
  'application/octet-stream',
  'application/x-protobuf',
  'application/vnd.sagemaker-triton.binary+json',
  'application/gzip',
];

/** Returns the media type that an `Accept` header names first, in lower case and without parameters. */
export function firstAccepted(accept: string): string {
  return accept.split(',', 1)[0]?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Returns whether a caller can receive a response of bytes. */
export function acceptsBytes(accept: string): boolean {
  return BINARY_MEDIA_TYPES.includes(firstAccepted(accept));
}
