import { S3Error } from './s3-error.ts';

/** Bytes from `start` until before `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header.
 *
 * @param length - Bytes of the object.
 * @returns Nothing when there is no range to be followed: none, several, or none in bytes (RFC 9110, 14.2).
 * @throws S3Error `InvalidRange` when the object has none of the bytes.
 */
export function parseRange(header: string | undefined, length: number): ByteRange | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  const start = from === '' ? Math.max(length - Number(to), 0) : Number(from);
  const end = from === '' || to === '' ? length : Math.min(Number(to) + 1, length);
  if (start >= end) throw new S3Error('InvalidRange', { RangeRequested: header ?? '', ActualObjectSize: length });
  return { start, end };
}
