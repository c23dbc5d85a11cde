import type { AwsStreamResponse } from '../../aws/aws-service.ts';
import { CHECKSUM_HEADER, type Checksum } from './checksums.ts';
import { renderXml, type XmlRecord } from './xml.ts';

/** Returns a response with a document. */
export function xmlResponse(
  root: string,
  content: XmlRecord,
  headers: Readonly<Record<string, string>> = {},
): AwsStreamResponse {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: renderXml(root, content) };
}

/** Returns a response with headers only. */
export function emptyResponse(status: number, headers: Readonly<Record<string, string>> = {}): AwsStreamResponse {
  return { status, headers, body: '' };
}

/** Returns an entity tag as it is sent. */
export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** Returns a time in the format of S3's documents. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Returns the headers that contain a checksum. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (checksum === undefined) return {};
  return {
    [`${CHECKSUM_HEADER}${checksum.algorithm}`]: checksum.value,
    [`${CHECKSUM_HEADER}type`]: checksumType(checksum),
  };
}

/** Returns the elements that contain a checksum. */
export function checksumElements(checksum: Checksum | undefined): Record<string, string> {
  return checksum === undefined ? {} : { [`Checksum${checksum.algorithm.toUpperCase()}`]: checksum.value };
}

function checksumType({ value }: Checksum): string {
  return value.includes('-') ? 'COMPOSITE' : 'FULL_OBJECT';
}
