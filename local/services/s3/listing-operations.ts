import type { Readable } from 'node:stream';
import { type AwsCaller, type AwsStreamResponse, deniedMessage } from '../../aws/aws-service.ts';
import { type Bucket, compareUtf8 } from './bucket-store.ts';
import { receiveText } from './object-body.ts';
import { objectArn, type S3Call } from './s3-call.ts';
import { S3Error } from './s3-error.ts';
import { isoTime, quoted, xmlResponse } from './s3-response.ts';
import { childText, parseXml, type XmlRecord } from './xml.ts';

/** Maximum number of keys in one page, and in one deletion. */
const MAX_KEYS = 1000;

/** S3's limit of the list of keys to delete. */
const MAX_DELETE_BYTES = 2_097_152;

/** One line of a listing: an object, or everything below a common prefix. */
type Entry = { readonly key: string } | { readonly commonPrefix: string };

/** Performs `ListBuckets`. */
export function listBuckets(buckets: Iterable<Bucket>): AwsStreamResponse {
  const all = [...buckets].map(({ plan, createdAtMs }) => ({ Name: plan.name, CreationDate: isoTime(createdAtMs) }));
  return xmlResponse('ListAllMyBucketsResult', { Buckets: { Bucket: all } });
}

/** Performs `ListObjectsV2`. */
export function listObjects({ query }: S3Call, bucket: Bucket): AwsStreamResponse {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const token = query.get('continuation-token') ?? undefined;
  const startAfter = query.get('start-after') ?? undefined;
  const maxKeys = readMaxKeys(query.get('max-keys'));
  const after = token === undefined ? startAfter : readToken(token);
  const entries = collect(bucket.keys(prefix), prefix, delimiter).filter(
    (entry) => after === undefined || compareUtf8(nameOf(entry), after) > 0,
  );
  const page = entries.slice(0, maxKeys);
  const last = page.at(-1);
  const isTruncated = last !== undefined && entries.length > page.length;
  const encode = encoderFor(query.get('encoding-type'));
  return xmlResponse('ListBucketResult', {
    Name: bucket.plan.name,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: maxKeys,
    EncodingType: query.get('encoding-type') ?? undefined,
    KeyCount: page.length,
    IsTruncated: isTruncated,
    ContinuationToken: token,
    NextContinuationToken: isTruncated ? Buffer.from(nameOf(last)).toString('base64url') : undefined,
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    Contents: page.flatMap((entry) => ('key' in entry ? [describe(entry.key, bucket, encode)] : [])),
    CommonPrefixes: page.flatMap((entry) => ('key' in entry ? [] : [{ Prefix: encode(entry.commonPrefix) }])),
  });
}

/** Performs `ListMultipartUploads`, without delimiters. */
export function listUploads({ query }: S3Call, bucket: Bucket): AwsStreamResponse {
  if (query.has('delimiter')) throw new S3Error('NotImplemented', { Message: 'local mode groups no uploads' });
  const prefix = query.get('prefix') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  const idMarker = query.get('upload-id-marker') ?? '';
  const maxUploads = readMaxKeys(query.get('max-uploads'));
  const encode = encoderFor(query.get('encoding-type'));
  const left = bucket.uploads(prefix).filter(({ key, id }) => {
    const order = compareUtf8(key, keyMarker);
    return order > 0 || (order === 0 && idMarker !== '' && compareUtf8(id, idMarker) > 0);
  });
  const page = left.slice(0, maxUploads);
  const last = page.at(-1);
  const isTruncated = last !== undefined && left.length > page.length;
  return xmlResponse('ListMultipartUploadsResult', {
    Bucket: bucket.plan.name,
    Prefix: encode(prefix),
    KeyMarker: encode(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: isTruncated ? encode(last.key) : undefined,
    NextUploadIdMarker: isTruncated ? last.id : undefined,
    MaxUploads: maxUploads,
    EncodingType: query.get('encoding-type') ?? undefined,
    IsTruncated: isTruncated,
    Upload: page.map(({ key, id, initiatedMs }) => ({
      Key: encode(key),
      UploadId: id,
      Initiated: isoTime(initiatedMs),
      StorageClass: 'STANDARD',
    })),
  });
}

/** Performs `DeleteObjects`: deletes each object that the caller may delete. */
export async function deleteObjects(
  call: S3Call,
  bucket: Bucket,
  stream: Readable,
  { judge, principal }: AwsCaller,
): Promise<AwsStreamResponse> {
  const request = parseXml(await receiveText(call, stream, MAX_DELETE_BYTES), 'Delete');
  const objects = request.children.filter(({ name }) => name === 'Object');
  if (objects.length === 0 || objects.length > MAX_KEYS) throw new S3Error('MalformedXML');
  const deleted: XmlRecord[] = [];
  const errors: XmlRecord[] = [];
  for (const object of objects) {
    const key = object.children.find(({ name }) => name === 'Key')?.text;
    if (key === undefined || key === '') throw new S3Error('MalformedXML');
    const asked = { action: 's3:DeleteObject', resource: objectArn({ bucket: bucket.plan.name, key }) };
    const verdict = judge(asked);
    if (verdict === 'allowed') {
      await bucket.delete(key);
      deleted.push({ Key: key });
    } else {
      errors.push({ Key: key, Code: 'AccessDenied', Message: deniedMessage(principal, asked, verdict) });
    }
  }
  const isQuiet = childText(request, 'Quiet') === 'true';
  return xmlResponse('DeleteResult', { Deleted: isQuiet ? [] : deleted, Error: errors });
}

function collect(keys: readonly string[], prefix: string, delimiter: string): Entry[] {
  if (delimiter === '') return keys.map((key) => ({ key }));
  const entries: Entry[] = [];
  let last: string | undefined;
  for (const key of keys) {
    const end = key.indexOf(delimiter, prefix.length);
    const commonPrefix = end < 0 ? undefined : key.slice(0, end + delimiter.length);
    if (commonPrefix === undefined) entries.push({ key });
    else if (commonPrefix !== last) entries.push({ commonPrefix });
    last = commonPrefix ?? last;
  }
  return entries;
}

function nameOf(entry: Entry): string {
  return 'key' in entry ? entry.key : entry.commonPrefix;
}

function describe(key: string, bucket: Bucket, encode: (text: string) => string): XmlRecord {
  const object = bucket.find(key);
  return {
    Key: encode(key),
    LastModified: isoTime(object?.lastModifiedMs ?? 0),
    ETag: quoted(object?.etag ?? ''),
    Size: object?.bytes.length ?? 0,
    StorageClass: 'STANDARD',
  };
}

function readMaxKeys(text: string | null): number {
  if (text === null) return MAX_KEYS;
  if (!/^\d{1,9}$/.test(text)) {
    throw new S3Error('InvalidArgument', { Message: 'max-keys is not a whole number', ArgumentName: 'max-keys' });
  }
  return Math.min(Number(text), MAX_KEYS);
}

function readToken(token: string): string {
  const name = Buffer.from(token, 'base64url').toString();
  if (name !== '' && Buffer.from(name).toString('base64url') === token) return name;
  throw new S3Error('InvalidArgument', { Message: 'The continuation token provided is incorrect' });
}

function encoderFor(type: string | null): (text: string) => string {
  if (type === null) return (text) => text;
  if (type === 'url') return (text) => encodeURIComponent(text).replaceAll('%2F', '/');
  throw new S3Error('InvalidArgument', { Message: 'Invalid Encoding Method specified in Request' });
}
