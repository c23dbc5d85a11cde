import type { AwsStreamAnswer } from '../../aws/aws-service.ts';
import { CHECKSUM_HEADER, type Checksum } from './checksums.ts';
import { renderXml, type XmlRecord } from './xml.ts';

/** Answers with a document. */
export function xmlAnswer(
  root: string,
  content: XmlRecord,
  headers: Readonly<Record<string, string>> = {},
): AwsStreamAnswer {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: renderXml(root, content) };
}

/** Answers with headers only. */
export function emptyAnswer(status: number, headers: Readonly<Record<string, string>> = {}): AwsStreamAnswer {
  return { status, headers, body: '' };
}

/** An entity tag as it is sent. */
export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** A time as S3's documents have it. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The headers that tell a checksum. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (checksum === undefined) return {};
  return {
    [`${CHECKSUM_HEADER}${checksum.algorithm}`]: checksum.value,
    [`${CHECKSUM_HEADER}type`]: checksumType(checksum),
  };
}

/** The elements that tell a checksum. */
export function checksumElements(checksum: Checksum | undefined): Record<string, string> {
  return checksum === undefined ? {} : { [`Checksum${checksum.algorithm.toUpperCase()}`]: checksum.value };
}

function checksumType({ value }: Checksum): string {
  return value.includes('-') ? 'COMPOSITE' : 'FULL_OBJECT';
}
