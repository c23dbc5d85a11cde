import type { AwsRequestHead } from '../../aws/aws-service.ts';
import type { IamRequest } from '../../iam/policy.ts';
import { S3Error } from './s3-error.ts';

/** Operations of S3's API that local mode performs. */
export type S3Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'GetObject'
  | 'HeadBucket'
  | 'HeadObject'
  | 'ListBuckets'
  | 'ListMultipartUploads'
  | 'ListObjectsV2'
  | 'ListParts'
  | 'PutObject'
  | 'UploadPart'
  | 'UploadPartCopy';

/** Where an object is. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** A request as S3 understands it. */
export interface S3Call extends ObjectAddress {
  readonly operation: S3Operation;
  readonly query: URLSearchParams;
  /** Names of all headers in lower case, those that a presigned URL holds included. */
  readonly headerNames: readonly string[];
  /** A header; a presigned URL may contain headers that start with `x-amz-`. */
  header(name: string): string | undefined;
  /** Object that is copied. */
  readonly source: ObjectAddress | undefined;
}

/** Longest key in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Parts of S3's API beyond reading and writing objects, by the query parameter that asks for them. */
const OTHER_FEATURES = [
  'accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle location',
  'logging metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock replication',
  'requestPayment restore retention select tagging torrent versionId versioning versions website',
]
  .join(' ')
  .split(' ');

/** Headers that ask for what is not done here: to pass them over would be a lie. */
const OTHER_HEADERS = [
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
];

const OBJECT_OPERATIONS: Readonly<Record<string, S3Operation>> = {
  DELETE: 'DeleteObject',
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
};

const UPLOAD_OPERATIONS: Readonly<Record<string, S3Operation>> = {
  DELETE: 'AbortMultipartUpload',
  GET: 'ListParts',
  POST: 'CompleteMultipartUpload',
  PUT: 'UploadPart',
};

/** Permission that each operation needs for its object. */
const ACTIONS: Readonly<Partial<Record<S3Operation, string>>> = {
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  DeleteObject: 's3:DeleteObject',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  ListParts: 's3:ListMultipartUploadParts',
};

/**
 * Understands a request in path style: `/<bucket>/<key>`.
 *
 * @returns Undefined if local mode does not perform the operation.
 * @throws S3Error `InvalidURI` when the path cannot be decoded, `KeyTooLongError` when the key has over 1024 bytes.
 */
export function readS3Call({ method, path, query, headers }: AwsRequestHead): S3Call | undefined {
  const { bucket, key } = addressOf(path.slice(1));
  const header = (name: string): string | undefined => {
    const value = headers[name];
    if (value !== undefined) return Array.isArray(value) ? value.join(',') : value;
    return name.startsWith('x-amz-') ? (parameter(query, name) ?? undefined) : undefined;
  };
  const copied = header('x-amz-copy-source');
  const operation = operationOf(method, bucket, key, query, copied !== undefined);
  if (operation === undefined || OTHER_FEATURES.some((feature) => query.has(feature))) return undefined;
  if (OTHER_HEADERS.some((name) => header(name) !== undefined)) return undefined;
  const source = copied === undefined ? undefined : addressOf(copied.replace(/^\//, ''));
  const names = [...Object.keys(headers), ...[...query.keys()].map((name) => name.toLowerCase())];
  return { operation, bucket, key, query, header, headerNames: names, source };
}

/** Lists the permissions that an operation needs; each object of `DeleteObjects` is authorized separately. */
export function permissionsOf({ operation, bucket, key, query, source }: S3Call): readonly IamRequest[] {
  if (operation === 'ListBuckets') return [{ action: 's3:ListAllMyBuckets', resource: '*' }];
  if (operation === 'HeadBucket') return [{ action: 's3:ListBucket', resource: bucketArn(bucket) }];
  if (operation === 'ListObjectsV2') return [listPermission(bucket, query)];
  if (operation === 'ListMultipartUploads') {
    return [{ action: 's3:ListBucketMultipartUploads', resource: bucketArn(bucket) }];
  }
  if (operation === 'DeleteObjects') return [];
  const own = { action: ACTIONS[operation] ?? 's3:PutObject', resource: objectArn({ bucket, key }) };
  return source === undefined ? [own] : [own, { action: 's3:GetObject', resource: objectArn(source) }];
}

/** Returns the ARN of a bucket. */
export function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

/** Returns the ARN of an object. */
export function objectArn({ bucket, key }: ObjectAddress): string {
  return `${bucketArn(bucket)}/${key}`;
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  query: URLSearchParams,
  isCopy: boolean,
): S3Operation | undefined {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : undefined;
  if (key === '') return bucketOperation(method, query);
  if (query.has('uploads')) return method === 'POST' ? 'CreateMultipartUpload' : undefined;
  const operation = (query.has('uploadId') ? UPLOAD_OPERATIONS : OBJECT_OPERATIONS)[method];
  if (query.has('partNumber') && operation !== 'UploadPart') return undefined;
  if (isCopy && operation === 'PutObject') return 'CopyObject';
  return isCopy && operation === 'UploadPart' ? 'UploadPartCopy' : operation;
}

function bucketOperation(method: string, query: URLSearchParams): S3Operation | undefined {
  if (query.has('uploads')) return method === 'GET' ? 'ListMultipartUploads' : undefined;
  if (method === 'HEAD') return 'HeadBucket';
  if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
  return method === 'POST' && query.has('delete') ? 'DeleteObjects' : undefined;
}

function listPermission(bucket: string, query: URLSearchParams): IamRequest {
  const context: Record<string, string> = {};
  for (const name of ['prefix', 'delimiter', 'max-keys']) {
    const value = query.get(name);
    if (value !== null) context[`s3:${name}`] = value;
  }
  return { action: 's3:ListBucket', resource: bucketArn(bucket), context };
}

function addressOf(encoded: string): ObjectAddress {
  const [bucket = '', ...rest] = encoded.split('/');
  try {
    const key = decodeURIComponent(rest.join('/'));
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError', { MaxSizeAllowed: MAX_KEY_BYTES });
    return { bucket: decodeURIComponent(bucket), key };
  } catch (error) {
    throw error instanceof URIError ? new S3Error('InvalidURI') : error;
  }
}

/** Returns a query parameter, ignoring the case of its name. */
function parameter(query: URLSearchParams, name: string): string | undefined {
  for (const [key, value] of query) if (key.toLowerCase() === name) return value;
  return undefined;
}
