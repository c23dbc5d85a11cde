import type { Readable } from 'node:stream';
import type { AwsCaller, AwsStreamResponse } from '../../aws/aws-service.ts';
import type { Bucket, NewObject, StoredObject } from './bucket-store.ts';
import { parseRange } from './byte-range.ts';
import { checksumAlgorithm, startChecksum } from './checksums.ts';
import { receiveBody } from './object-body.ts';
import type { ObjectFiles } from './object-files.ts';
import { judgeRead, judgeWrite } from './preconditions.ts';
import { bucketArn, type S3Call } from './s3-call.ts';
import { S3Error } from './s3-error.ts';
import { checksumElements, checksumHeaders, emptyResponse, isoTime, quoted, xmlResponse } from './s3-response.ts';

/** Headers of a write that a read returns. */
const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'content-type', 'expires'];

/** Query parameters by which a read chooses headers of its response. */
const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const;

/** Content type of objects that were written without one. */
const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';

/** Performs `GetObject` and `HeadObject`. */
export function getObject(call: S3Call, bucket: Bucket, caller: AwsCaller): AwsStreamResponse {
  const object = existing(bucket, call.key, caller);
  const headers = readHeaders(call, object);
  if (judgeRead(call.header, object) === 'not-modified') return emptyResponse(304, headers);
  const { length } = object.bytes;
  const range = parseRange(call.header('range'), length);
  const { start, end } = range ?? { start: 0, end: length };
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      ...(range === undefined
        ? fullChecksum(call, object)
        : { 'content-range': `bytes ${start}-${end - 1}/${length}` }),
      'content-length': String(end - start),
    },
    body: call.operation === 'HeadObject' ? '' : object.bytes.read(start, end),
  };
}

/** Performs `PutObject`. */
export async function putObject(
  call: S3Call,
  bucket: Bucket,
  stream: Readable,
  files: ObjectFiles,
): Promise<AwsStreamResponse> {
  judgeWrite(call.header, bucket.find(call.key));
  const { bytes, md5, checksum } = await receiveBody(call, stream, files);
  const etag = md5.toString('hex');
  await commit(call, bucket, { bytes, etag, checksum, headers: writtenHeaders(call) });
  return emptyResponse(200, { etag: quoted(etag), ...encryptionOf(call), ...checksumHeaders(checksum) });
}

/** Performs `CopyObject`. */
export async function copyObject(
  call: S3Call,
  bucket: Bucket,
  source: StoredObject,
  files: ObjectFiles,
): Promise<AwsStreamResponse> {
  judgeCopySource(call, source);
  judgeWrite(call.header, bucket.find(call.key));
  const copy = await copyBytes(call, source, files);
  const headers = call.header('x-amz-metadata-directive') === 'REPLACE' ? writtenHeaders(call) : source.headers;
  const { etag, checksum, lastModifiedMs } = await commit(call, bucket, { ...copy, headers });
  return xmlResponse('CopyObjectResult', {
    LastModified: isoTime(lastModifiedMs),
    ETag: quoted(etag),
    ...checksumElements(checksum),
  });
}

/**
 * Stores an object under its key, if the conditions of the request still hold.
 *
 * @throws S3Error `PreconditionFailed` if another write was faster; the bytes are then discarded.
 */
export async function commit(call: S3Call, bucket: Bucket, object: NewObject): Promise<StoredObject> {
  try {
    judgeWrite(call.header, bucket.find(call.key));
  } catch (error) {
    await object.bytes.drop();
    throw error;
  }
  return bucket.put(call.key, object);
}

/** Copies bytes, or the range of them that the request names, and computes their checksums again. */
export async function copyBytes(
  call: S3Call,
  source: StoredObject,
  files: ObjectFiles,
): Promise<Pick<NewObject, 'bytes' | 'etag' | 'checksum'> & { readonly md5: Buffer }> {
  const range = parseRange(call.header('x-amz-copy-source-range'), source.bytes.length);
  const algorithm = checksumAlgorithm(call.header('x-amz-checksum-algorithm')) ?? source.checksum?.algorithm;
  const sum = algorithm === undefined ? undefined : startChecksum(algorithm);
  const md5 = startChecksum('md5');
  const bytes = await files.write(source.bytes.read(range?.start, range?.end), (chunk) => {
    md5.update(chunk);
    sum?.update(chunk);
  });
  const digest = md5.digest();
  const checksum =
    algorithm === undefined || sum === undefined ? undefined : { algorithm, value: sum.digest().toString('base64') };
  return { bytes, md5: digest, etag: digest.toString('hex'), checksum };
}

/** @throws S3Error `PreconditionFailed` when the source is not as the request wants it. */
export function judgeCopySource(call: S3Call, source: StoredObject): void {
  const verdict = judgeRead((name) => call.header(`x-amz-copy-source-${name}`), source);
  if (verdict === 'not-modified') throw new S3Error('PreconditionFailed');
}

/**
 * Finds an object for a reader.
 *
 * @throws S3Error `NoSuchKey`; `AccessDenied` to callers who may not list the bucket, and so may not know.
 */
export function existing(bucket: Bucket, key: string, { judge }: AwsCaller): StoredObject {
  const object = bucket.find(key);
  if (object !== undefined) return object;
  const mayList = judge({ action: 's3:ListBucket', resource: bucketArn(bucket.plan.name) }) === 'allowed';
  throw mayList ? new S3Error('NoSuchKey', { Key: key }) : new S3Error('AccessDenied');
}

/** Returns the headers of a write that are kept with an object. */
export function writtenHeaders(call: S3Call): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': DEFAULT_CONTENT_TYPE, ...encryptionOf(call) };
  const metadata = call.headerNames.filter((name) => name.startsWith('x-amz-meta-'));
  for (const name of [...KEPT_HEADERS, ...metadata]) {
    const value = call.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const codings = (call.header('content-encoding') ?? '').split(',').map((coding) => coding.trim());
  const kept = codings.filter((coding) => coding !== '' && coding !== 'aws-chunked');
  return kept.length === 0 ? headers : { ...headers, 'content-encoding': kept.join(', ') };
}

/** Returns how S3 reports that an object is encrypted; it always is. */
export function encryptionOf(call: S3Call): Record<string, string> {
  return { 'x-amz-server-side-encryption': call.header('x-amz-server-side-encryption') ?? 'AES256' };
}

function readHeaders(call: S3Call, object: StoredObject): Record<string, string> {
  const headers: Record<string, string> = {
    'accept-ranges': 'bytes',
    etag: quoted(object.etag),
    'last-modified': new Date(object.lastModifiedMs).toUTCString(),
    ...object.headers,
  };
  for (const name of OVERRIDES) {
    const value = call.query.get(`response-${name}`);
    if (value !== null) headers[name] = value;
  }
  return headers;
}

function fullChecksum(call: S3Call, { checksum }: StoredObject): Record<string, string> {
  return call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? checksumHeaders(checksum) : {};
}
