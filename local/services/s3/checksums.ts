import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { S3Error } from './s3-error.ts';

/** Checksums that are computed here; S3 knows CRC-32C and CRC-64/NVME too. */
export type ChecksumAlgorithm = 'crc32' | 'sha1' | 'sha256';

/** A checksum that S3 keeps with an object. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; of an object in parts it is that of the parts' checksums, with `-<parts>` at the end. */
  readonly value: string;
}

/** Start of the headers that carry a checksum. */
export const CHECKSUM_HEADER = 'x-amz-checksum-';

/** Parts of such headers that name no algorithm. */
const OTHER_HEADERS: ReadonlySet<string> = new Set(['algorithm', 'type', 'mode']);

/** A checksum of bytes as they come. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  /** The sum of everything so far; asked for once. */
  digest(): Buffer;
}

/** Starts a checksum. */
export function startChecksum(algorithm: ChecksumAlgorithm | 'md5'): RunningChecksum {
  if (algorithm === 'crc32') return new Crc32();
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

/**
 * Reads the name of a checksum as requests have it: `CRC32`.
 *
 * @returns Nothing when none is named.
 * @throws S3Error `NotImplemented` when it is one that is not computed here.
 */
export function checksumAlgorithm(name: string | undefined): ChecksumAlgorithm | undefined {
  const algorithm = name?.toLowerCase();
  if (algorithm === undefined || algorithm === 'crc32' || algorithm === 'sha1' || algorithm === 'sha256')
    return algorithm;
  throw new S3Error('NotImplemented', { Message: `local mode computes no checksum ${algorithm}` });
}

/**
 * Finds the checksum that headers, or the names of trailers, announce.
 *
 * @param names - Names of headers in lower case.
 */
export function announcedAlgorithm(names: Iterable<string>): ChecksumAlgorithm | undefined {
  for (const name of names) {
    if (!name.startsWith(CHECKSUM_HEADER)) continue;
    const rest = name.slice(CHECKSUM_HEADER.length);
    if (!OTHER_HEADERS.has(rest)) return checksumAlgorithm(rest);
  }
  return undefined;
}

/** Sums up the checksums of parts as S3 does. */
export function compositeChecksum(algorithm: ChecksumAlgorithm | 'md5', parts: readonly Buffer[]): Buffer {
  const sum = startChecksum(algorithm);
  for (const part of parts) sum.update(part);
  return sum.digest();
}

class Crc32 implements RunningChecksum {
  #value = 0;

  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value);
    return bytes;
  }
}
