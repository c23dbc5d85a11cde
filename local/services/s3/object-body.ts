import type { Readable } from 'node:stream';
import { AwsChunkedBody } from './aws-chunked.ts';
import { announcedAlgorithm, CHECKSUM_HEADER, type Checksum, checksumAlgorithm, startChecksum } from './checksums.ts';
import type { ObjectFiles, StoredBytes } from './object-files.ts';
import type { S3Call } from './s3-call.ts';
import { S3Error } from './s3-error.ts';

/** A stored request body. */
export interface ReceivedBody {
  readonly bytes: StoredBytes;
  readonly md5: Buffer;
  readonly checksum: Checksum | undefined;
}

/** S3's limit of one upload: 5 GiB. */
const MAX_OBJECT_BYTES = 5_368_709_120;

/** Properties that a request declares about its body. */
interface Announcement {
  readonly source: AsyncIterable<Buffer>;
  readonly trailers: ReadonlyMap<string, string>;
  readonly length: number;
}

/**
 * Stores the body of an upload and compares it with everything that the request says about it: length, MD5, SHA-256
 * and checksum, in headers, trailers or a presigned URL.
 *
 * @throws S3Error `MissingContentLength`, `EntityTooLarge`, `IncompleteBody`, `InvalidDigest`, `BadDigest` or
 * `XAmzContentSHA256Mismatch`; nothing is kept then.
 */
export async function receiveBody(call: S3Call, stream: Readable, files: ObjectFiles): Promise<ReceivedBody> {
  const { source, trailers, length } = announce(call, stream);
  const trailerNames = (call.header('x-amz-trailer') ?? '').toLowerCase().split(/\s*,\s*/);
  const algorithm =
    announcedAlgorithm(call.headerNames) ??
    announcedAlgorithm(trailerNames) ??
    checksumAlgorithm(call.header('x-amz-sdk-checksum-algorithm'));
  const md5 = startChecksum('md5');
  const checksum = algorithm === undefined ? undefined : startChecksum(algorithm);
  const expectedSha256 = /^[0-9a-f]{64}$/.exec(call.header('x-amz-content-sha256') ?? '')?.[0];
  const sha256 = expectedSha256 === undefined ? undefined : startChecksum('sha256');
  let received = 0;
  const bytes = await files.write(source, (chunk) => {
    received += chunk.length;
    if (received > length) throw new S3Error('IncompleteBody', { Message: 'the body is longer than announced' });
    md5.update(chunk);
    checksum?.update(chunk);
    sha256?.update(chunk);
  });
  const sum = { md5: md5.digest(), checksum: checksum?.digest().toString('base64') };
  try {
    if (received < length) throw new S3Error('IncompleteBody');
    checkMd5(call.header('content-md5'), sum.md5);
    if (sha256 !== undefined && sha256.digest().toString('hex') !== expectedSha256) {
      throw new S3Error('XAmzContentSHA256Mismatch');
    }
    const name = `${CHECKSUM_HEADER}${algorithm}`;
    const announced = call.header(name) ?? trailers.get(name);
    if (announced !== undefined && announced !== sum.checksum) throw new S3Error('BadDigest');
  } catch (error) {
    await bytes.drop();
    throw error;
  }
  const kept = algorithm === undefined || sum.checksum === undefined ? undefined : { algorithm, value: sum.checksum };
  return { bytes, md5: sum.md5, checksum: kept };
}

/**
 * Reads the body of a request that holds a document.
 *
 * @param maxBytes - Maximum size in bytes.
 * @throws S3Error `MalformedXML` when it is longer, `BadDigest` when it is not what the request says.
 */
export async function receiveText(call: S3Call, stream: Readable, maxBytes: number): Promise<string> {
  const { source } = announce(call, stream);
  const algorithm = announcedAlgorithm(call.headerNames);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new S3Error('MalformedXML');
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const md5 = startChecksum('md5');
  md5.update(body);
  checkMd5(call.header('content-md5'), md5.digest());
  if (algorithm !== undefined) {
    const checksum = startChecksum(algorithm);
    checksum.update(body);
    if (call.header(`${CHECKSUM_HEADER}${algorithm}`) !== checksum.digest().toString('base64')) {
      throw new S3Error('BadDigest');
    }
  }
  return body.toString();
}

function announce(call: S3Call, stream: Readable): Announcement {
  const isChunked =
    /(?:^|,)\s*aws-chunked\s*(?:,|$)/.test(call.header('content-encoding') ?? '') ||
    (call.header('x-amz-content-sha256') ?? '').startsWith('STREAMING-');
  const length = call.header(isChunked ? 'x-amz-decoded-content-length' : 'content-length');
  if (length === undefined || !/^\d{1,15}$/.test(length)) throw new S3Error('MissingContentLength');
  if (Number(length) > MAX_OBJECT_BYTES) {
    throw new S3Error('EntityTooLarge', { ProposedSize: length, MaxSizeAllowed: MAX_OBJECT_BYTES });
  }
  // The connection must outlive a refusal in the middle of the body, so that the response can be sent.
  const source = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  if (!isChunked) return { source, trailers: new Map(), length: Number(length) };
  const decoded = new AwsChunkedBody(source);
  return { source: decoded, trailers: decoded.trailers, length: Number(length) };
}

function checkMd5(announced: string | undefined, md5: Buffer): void {
  if (announced === undefined) return;
  const bytes = Buffer.from(announced, 'base64');
  if (bytes.length !== 16) throw new S3Error('InvalidDigest');
  if (!bytes.equals(md5)) throw new S3Error('BadDigest');
}
