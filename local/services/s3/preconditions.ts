import { S3Error } from './s3-error.ts';

/** The object properties that conditions of a request test. */
export interface ObjectState {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** Gives a header by its name in lower case. */
type Header = (name: string) => string | undefined;

/**
 * Judges the conditions of a read (RFC 9110, 13.2.2).
 *
 * @returns `not-modified` when the caller has the object already.
 * @throws S3Error `PreconditionFailed`.
 */
export function judgeRead(header: Header, object: ObjectState): 'send' | 'not-modified' {
  const match = header('if-match');
  const noneMatch = header('if-none-match');
  const unmodifiedSince = header('if-unmodified-since');
  const modifiedSince = header('if-modified-since');
  if (match !== undefined) {
    if (!matches(match, object.etag)) throw new S3Error('PreconditionFailed', { Condition: 'If-Match' });
  } else if (unmodifiedSince !== undefined && isNewer(object, unmodifiedSince)) {
    throw new S3Error('PreconditionFailed', { Condition: 'If-Unmodified-Since' });
  }
  if (noneMatch !== undefined) return matches(noneMatch, object.etag) ? 'not-modified' : 'send';
  return modifiedSince !== undefined && !isNewer(object, modifiedSince) ? 'not-modified' : 'send';
}

/**
 * Judges the conditions of a write.
 *
 * @param object - The existing object.
 * @throws S3Error `PreconditionFailed`, or `NoSuchKey` when `If-Match` finds nothing.
 */
export function judgeWrite(header: Header, object: ObjectState | undefined): void {
  const match = header('if-match');
  const noneMatch = header('if-none-match');
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    throw new S3Error('NotImplemented', { Message: 'If-None-Match of a write takes only *' });
  }
  if (noneMatch !== undefined && object !== undefined) {
    throw new S3Error('PreconditionFailed', { Condition: 'If-None-Match' });
  }
  if (match === undefined) return;
  if (object === undefined) throw new S3Error('NoSuchKey');
  if (!matches(match, object.etag)) throw new S3Error('PreconditionFailed', { Condition: 'If-Match' });
}

function matches(header: string, etag: string): boolean {
  return header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^"(.*)"$/, '$1')));
}

/** Dates of HTTP know whole seconds only. */
function isNewer({ lastModifiedMs }: ObjectState, date: string): boolean {
  return Math.floor(lastModifiedMs / 1000) * 1000 > Date.parse(date);
}
