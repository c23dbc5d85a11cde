import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { AppError } from '../../../core/errors.ts';
import type { FileObjects, ObjectSlice } from '../../../core/files/file-objects.ts';
import { callAws } from '../aws/client-settings.ts';

/** Dependencies of {@link openS3FileObjects}. */
export interface S3FileObjectsOptions {
  /** Must compute checksums only where S3 wants them: a presigned address would hold that of no bytes. */
  readonly client: S3Client;
  /** Name of the payload bucket. */
  readonly bucket: string;
}

const PLACE = 'the payload bucket';

const ABSENT: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound', 'NoSuchUpload']);

/** Names of S3 for parts that are not those it has. */
const STALE: ReadonlySet<string> = new Set(['InvalidPart', 'InvalidPartOrder']);

/**
 * Opens the bytes of files in S3.
 *
 * @returns Objects whose methods throw AppError `UNAVAILABLE` if S3 does not respond.
 */
export function openS3FileObjects({ client, bucket }: S3FileObjectsOptions): FileObjects {
  const at = (key: string) => ({ Bucket: bucket, Key: key });
  return {
    bucket,
    size: async (key) => {
      const head = await unlessAbsent(() => client.send(new HeadObjectCommand(at(key))));
      return head?.ContentLength;
    },
    read: (key, start, end) => unlessAbsent(() => readSlice(client, { ...at(key), start, end })),
    write: async (key, bytes, contentType) => {
      const command = new PutObjectCommand({ ...at(key), Body: bytes, ContentType: contentType });
      await callAws(PLACE, () => client.send(command));
    },
    begin: async (key, contentType) => {
      const command = new CreateMultipartUploadCommand({ ...at(key), ContentType: contentType });
      const { UploadId: id } = await callAws(PLACE, () => client.send(command));
      if (id === undefined) throw new AppError('UNAVAILABLE', 'the payload bucket returned no upload id');
      return id;
    },
    writePart: async (key, uploadId, number, bytes) => {
      const command = new UploadPartCommand({ ...at(key), UploadId: uploadId, PartNumber: number, Body: bytes });
      return (await unlessAbsent(() => client.send(command)))?.ETag;
    },
    complete: (key, uploadId, tags) => complete(client, { ...at(key), UploadId: uploadId }, tags),
    abort: async (key, uploadId) => {
      const command = new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId });
      await unlessAbsent(() => client.send(command));
    },
    remove: async (key) => {
      await callAws(PLACE, () => client.send(new DeleteObjectCommand(at(key))));
    },
    removeAll: (prefix, notAfterMs) => callAws(PLACE, () => removeAll(client, bucket, { prefix, notAfterMs })),
    presignPut: async (key, { bytes, expiresSeconds }) => {
      // The signer is loaded on demand, because few responses contain a presigned URL.
      const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
      const command = new PutObjectCommand({ ...at(key), ContentLength: bytes });
      const signableHeaders = new Set(['host', 'content-length']);
      return callAws(PLACE, () => getSignedUrl(client, command, { expiresIn: expiresSeconds, signableHeaders }));
    },
  };
}

async function readSlice(
  client: S3Client,
  {
    start,
    end,
    ...at
  }: { readonly Bucket: string; readonly Key: string; readonly start: number; readonly end: number },
): Promise<ObjectSlice> {
  const answer = await client.send(new GetObjectCommand({ ...at, Range: `bytes=${start}-${end - 1}` }));
  const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
  const total = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1]);
  // A body that was cut off during the transfer ends like a complete one.
  if (!(bytes.length === Math.min(end, total) - start)) throw new Error('S3 returned other bytes than requested');
  return { bytes, total };
}

async function complete(
  client: S3Client,
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  tags: readonly string[],
): Promise<'done' | 'gone' | 'stale'> {
  const parts = tags.map((tag, index) => ({ PartNumber: index + 1, ETag: tag }));
  const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } });
  try {
    return (await unlessAbsent(() => client.send(command))) === undefined ? 'gone' : 'done';
  } catch (error) {
    const { cause } = error as AppError;
    if (cause instanceof S3ServiceException && STALE.has(cause.name)) return 'stale';
    throw error;
  }
}

async function removeAll(
  client: S3Client,
  bucket: string,
  {
    prefix,
    notAfterMs = Number.POSITIVE_INFINITY,
  }: { readonly prefix: string; readonly notAfterMs?: number | undefined },
): Promise<void> {
  let token: string | undefined;
  do {
    const list: ListObjectsV2CommandOutput = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
    );
    const objects = (list.Contents ?? []).flatMap(({ Key: key, LastModified: time }) =>
      key === undefined || (time?.getTime() ?? 0) > notAfterMs ? [] : [{ Key: key }],
    );
    if (objects.length > 0) await removeObjects(client, bucket, objects);
    token = list.NextContinuationToken;
  } while (token !== undefined);
}

async function removeObjects(client: S3Client, bucket: string, objects: { Key: string }[]): Promise<void> {
  const { Errors: errors = [] } = await client.send(
    new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects, Quiet: true } }),
  );
  if (errors.length > 0) throw new AppError('UNAVAILABLE', `the payload bucket kept ${errors.length} objects`);
}

/** @returns Undefined if S3 reports that the requested object does not exist. */
function unlessAbsent<T>(call: () => Promise<T>): Promise<T | undefined> {
  return callAws<T | undefined>(PLACE, async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof S3ServiceException && ABSENT.has(error.name)) return undefined;
      throw error;
    }
  });
}
