import type { Readable } from 'node:stream';
import type { AwsStreamResponse } from '../../aws/aws-service.ts';
import type { Bucket, StoredObject, StoredPart, StoredUpload } from './bucket-store.ts';
import { type Checksum, checksumAlgorithm, compositeChecksum } from './checksums.ts';
import { receiveBody, receiveText } from './object-body.ts';
import { type ObjectFiles, StoredBytes } from './object-files.ts';
import { commit, copyBytes, encryptionOf, judgeCopySource, writtenHeaders } from './object-operations.ts';
import { judgeWrite } from './preconditions.ts';
import type { S3Call } from './s3-call.ts';
import { S3Error } from './s3-error.ts';
import { checksumElements, checksumHeaders, emptyResponse, isoTime, quoted, xmlResponse } from './s3-response.ts';
import { childText, parseXml, type XmlElement } from './xml.ts';

/** Highest number of a part. */
const MAX_PARTS = 10_000;

/** Least bytes of every part but the last: 5 MiB. */
const MIN_PART_BYTES = 5_242_880;

/** Maximum size of the list of parts in bytes: ten thousand parts with checksums. */
const MAX_LIST_BYTES = 8_388_608;

/** A part as the request to complete names it. */
interface NamedPart {
  readonly number: number;
  readonly etag: string;
  readonly element: XmlElement;
}

/** Performs `CreateMultipartUpload`. */
export function createUpload(call: S3Call, bucket: Bucket): AwsStreamResponse {
  const algorithm = checksumAlgorithm(call.header('x-amz-checksum-algorithm'));
  if (call.header('x-amz-checksum-type')?.toUpperCase() === 'FULL_OBJECT') {
    throw new S3Error('NotImplemented', { Message: 'local mode computes no checksum of a whole object in parts' });
  }
  const { id } = bucket.beginUpload(call.key, { headers: writtenHeaders(call), algorithm });
  const headers = encryptionOf(call);
  if (algorithm !== undefined) headers['x-amz-checksum-algorithm'] = algorithm.toUpperCase();
  const document = { Bucket: bucket.plan.name, Key: call.key, UploadId: id };
  return xmlResponse('InitiateMultipartUploadResult', document, headers);
}

/** Performs `UploadPart`. */
export async function uploadPart(
  call: S3Call,
  bucket: Bucket,
  stream: Readable,
  files: ObjectFiles,
): Promise<AwsStreamResponse> {
  const number = partNumber(call);
  const upload = uploadOf(call, bucket);
  const { bytes, md5, checksum } = await receiveBody(call, stream, files);
  await bucket.putPart(upload, number, { bytes, md5, checksum });
  return emptyResponse(200, { etag: quoted(md5.toString('hex')), ...encryptionOf(call), ...checksumHeaders(checksum) });
}

/** Performs `UploadPartCopy`. */
export async function copyPart(
  call: S3Call,
  bucket: Bucket,
  source: StoredObject,
  files: ObjectFiles,
): Promise<AwsStreamResponse> {
  const number = partNumber(call);
  const upload = uploadOf(call, bucket);
  judgeCopySource(call, source);
  const { bytes, md5, etag, checksum } = await copyBytes(call, source, files);
  const { lastModifiedMs } = await bucket.putPart(upload, number, { bytes, md5, checksum });
  return xmlResponse('CopyPartResult', { LastModified: isoTime(lastModifiedMs), ETag: quoted(etag) });
}

/** Performs `CompleteMultipartUpload`. */
export async function completeUpload(call: S3Call, bucket: Bucket, stream: Readable): Promise<AwsStreamResponse> {
  const document = parseXml(await receiveText(call, stream, MAX_LIST_BYTES), 'CompleteMultipartUpload');
  const upload = uploadOf(call, bucket);
  const named = document.children.filter(({ name }) => name === 'Part').map(readPart);
  const parts = chosenParts(upload, named);
  judgeWrite(call.header, bucket.find(call.key));
  const md5 = compositeChecksum(
    'md5',
    parts.map((part) => part.md5),
  );
  const etag = `${md5.toString('hex')}-${parts.length}`;
  const checksum = composite(upload, parts);
  await bucket.endUpload(upload, parts);
  const bytes = StoredBytes.join(parts.map((part) => part.bytes));
  await commit(call, bucket, { bytes, etag, checksum, headers: upload.headers });
  return xmlResponse(
    'CompleteMultipartUploadResult',
    {
      Location: `http://${call.header('host') ?? 'localhost'}/${bucket.plan.name}/${encodeURIComponent(call.key)}`,
      Bucket: bucket.plan.name,
      Key: call.key,
      ETag: quoted(etag),
      ...checksumElements(checksum),
    },
    encryptionOf(call),
  );
}

/** Performs `AbortMultipartUpload`. */
export async function abortUpload(call: S3Call, bucket: Bucket): Promise<AwsStreamResponse> {
  await bucket.endUpload(uploadOf(call, bucket));
  return emptyResponse(204);
}

/** Performs `ListParts`. */
export function listParts(call: S3Call, bucket: Bucket): AwsStreamResponse {
  const upload = uploadOf(call, bucket);
  const after = Number(call.query.get('part-number-marker') ?? 0);
  const maxParts = Math.min(Number(call.query.get('max-parts') ?? 1000), 1000);
  const all = [...upload.parts].filter(([number]) => number > after).toSorted(([a], [b]) => a - b);
  const page = all.slice(0, maxParts);
  return xmlResponse('ListPartsResult', {
    Bucket: bucket.plan.name,
    Key: call.key,
    UploadId: upload.id,
    StorageClass: 'STANDARD',
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.[0] ?? 0,
    MaxParts: maxParts,
    IsTruncated: all.length > page.length,
    Part: page.map(([number, { bytes, md5, lastModifiedMs, checksum }]) => ({
      PartNumber: number,
      LastModified: isoTime(lastModifiedMs),
      ETag: quoted(md5.toString('hex')),
      Size: bytes.length,
      ...checksumElements(checksum),
    })),
  });
}

function chosenParts(upload: StoredUpload, named: readonly NamedPart[]): StoredPart[] {
  if (named.length === 0) throw new S3Error('MalformedXML');
  if (named.some(({ number }, index) => index > 0 && number <= (named[index - 1]?.number ?? 0))) {
    throw new S3Error('InvalidPartOrder', { UploadId: upload.id });
  }
  const parts = named.map((one) => chosenPart(upload, one));
  parts.slice(0, -1).forEach(({ bytes }, index) => {
    if (bytes.length >= MIN_PART_BYTES) return;
    throw new S3Error('EntityTooSmall', {
      ProposedSize: bytes.length,
      MinSizeAllowed: MIN_PART_BYTES,
      PartNumber: named[index]?.number ?? 0,
      ETag: named[index]?.etag ?? '',
    });
  });
  return parts;
}

function chosenPart(upload: StoredUpload, { number, etag, element }: NamedPart): StoredPart {
  const part = upload.parts.get(number);
  const invalid = { UploadId: upload.id, PartNumber: number, ETag: etag };
  if (part === undefined || part.md5.toString('hex') !== etag) throw new S3Error('InvalidPart', invalid);
  for (const [name, value] of Object.entries(checksumElements(part.checksum))) {
    const given = childText(element, name);
    if (given !== undefined && given !== value) throw new S3Error('InvalidPart', invalid);
    if (given === undefined && upload.algorithm !== undefined) {
      const message = `The upload was created using a ${upload.algorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`;
      throw new S3Error('InvalidRequest', { Message: message });
    }
  }
  return part;
}

function composite({ algorithm }: StoredUpload, parts: readonly StoredPart[]): Checksum | undefined {
  if (algorithm === undefined) return undefined;
  const sums = parts.map(({ checksum }) => {
    if (checksum?.algorithm === algorithm) return Buffer.from(checksum.value, 'base64');
    throw new S3Error('InvalidRequest', { Message: `a part was uploaded without its ${algorithm} checksum` });
  });
  return { algorithm, value: `${compositeChecksum(algorithm, sums).toString('base64')}-${parts.length}` };
}

function readPart(element: XmlElement): NamedPart {
  const number = childText(element, 'PartNumber');
  const etag = childText(element, 'ETag');
  if (number === undefined || !/^\d{1,9}$/.test(number) || etag === undefined) throw new S3Error('MalformedXML');
  return { number: Number(number), etag: etag.replace(/^"(.*)"$/, '$1'), element };
}

function uploadOf(call: S3Call, bucket: Bucket): StoredUpload {
  return bucket.upload(call.key, call.query.get('uploadId') ?? '');
}

function partNumber({ query }: S3Call): number {
  const text = query.get('partNumber') ?? '';
  if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_PARTS) return Number(text);
  throw new S3Error('InvalidArgument', {
    Message: `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
    ArgumentName: 'partNumber',
    ArgumentValue: text,
  });
}
