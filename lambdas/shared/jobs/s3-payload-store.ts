import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { AppError } from '../../../core/errors.ts';
import type { PayloadReference } from '../../../core/jobs/job.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import { callAws } from '../aws/client-settings.ts';

/** Dependencies of {@link openS3PayloadStore}. */
export interface S3PayloadStoreOptions {
  readonly client: S3Client;
  /** Name of the deployment's payload bucket. */
  readonly bucket: string;
}

/** The part of an object to read, and its maximum size. */
interface GetOptions {
  readonly maxBytes: number;
  readonly range?: readonly [start: number, end: number];
}

/** Codes of S3 for objects that do not exist, and for objects that may not be read. */
const ABSENT: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchBucket', 'NotFound', 'InvalidBucketName']);
const FORBIDDEN: ReadonlySet<string> = new Set(['AccessDenied', 'Forbidden', 'InvalidObjectState']);

/**
 * Opens the large bytes of jobs in S3.
 *
 * @returns A store whose methods throw AppError `UNAVAILABLE` if S3 does not respond.
 */
export function openS3PayloadStore({ client, bucket }: S3PayloadStoreOptions): PayloadStore {
  return {
    bucket,
    put: async (key, body, contentType) => {
      const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytesOf(body), ContentType: contentType });
      await callAws('the payload bucket', () => client.send(command));
    },
    get: (reference, options) => callAws('the object store', () => readObject(client, reference, options)),
    has: (reference) => callAws('the object store', () => hasObject(client, reference)),
    presignGet: async (key, { expiresSeconds, fileName }) => {
      // Only few responses contain such a URL, so the signer is loaded on first use.
      const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
      const disposition = fileName === undefined ? undefined : attachment(fileName);
      const command = new GetObjectCommand({ Bucket: bucket, Key: key, ResponseContentDisposition: disposition });
      return callAws('the payload bucket', () => getSignedUrl(client, command, { expiresIn: expiresSeconds }));
    },
  };
}

async function readObject(client: S3Client, reference: PayloadReference, options: GetOptions): Promise<Uint8Array> {
  const { maxBytes, range } = options;
  if (range !== undefined && range[1] <= range[0]) return new Uint8Array();
  const { Body: body, ContentLength: length = 0 } = await openObject(client, reference, range);
  if (length > maxBytes) {
    // The rest of the response is not needed, and would keep its connection.
    if (body !== undefined && 'destroy' in body && typeof body.destroy === 'function') body.destroy();
    throw new AppError(
      'BODY_TOO_LARGE',
      `the object holds ${length} bytes, at most ${maxBytes} are allowed; split it into several`,
    );
  }
  const bytes = (await body?.transformToByteArray()) ?? new Uint8Array();
  const expected = range === undefined ? length : range[1] - range[0];
  if (bytes.length === expected) return bytes;
  throw new AppError('INPUT_NOT_FOUND', `the object holds ${bytes.length} of the ${expected} requested bytes`);
}

async function hasObject(client: S3Client, { bucket, key }: PayloadReference): Promise<boolean> {
  try {
    await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    if (error instanceof S3ServiceException && ABSENT.has(error.name)) return false;
    throw error;
  }
}

async function openObject(client: S3Client, { bucket, key }: PayloadReference, range: GetOptions['range']) {
  const bytes = range === undefined ? undefined : `bytes=${range[0]}-${range[1] - 1}`;
  try {
    return await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: bytes }));
  } catch (cause) {
    if (!(cause instanceof S3ServiceException)) throw cause;
    if (ABSENT.has(cause.name)) throw new AppError('INPUT_NOT_FOUND', 'the object does not exist', { cause });
    if (FORBIDDEN.has(cause.name)) {
      throw new AppError('INPUT_FORBIDDEN', 'the object does not exist or may not be read', { cause });
    }
    if (cause.name === 'InvalidRange')
      throw new AppError('INPUT_NOT_FOUND', 'the object ends before the requested part', { cause });
    throw cause;
  }
}

/** Converts text to bytes, because the SDK treats an empty text as a stream of unknown length. */
function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

/**
 * Writes a file name as RFC 6266 requires: plain ASCII for old clients, UTF-8 for the others. Records of earlier releases may
 * hold half of a surrogate pair, which has no UTF-8.
 */
function attachment(name: string): string {
  const fileName = name.toWellFormed();
  const ascii = fileName.replace(/[^ -~]|["\\]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
