/**
 * The progress of the assembly of a file from pieces.
 *
 * The parts of the file are a function of the pieces and of this state alone, so that a step that is repeated, or two
 * concurrent steps, upload the same parts again.
 */
export interface AssemblyState {
  /** Counts the changes of the state: of two that follow the same one, the first to be recorded holds. */
  readonly step: number;
  /** Multipart upload of S3 that receives the parts; absent if one put is enough. */
  readonly uploadId?: string;
  /** Parts uploaded so far. */
  readonly parts: number;
  /** Entity tags of the parts, with a space between two. */
  readonly tags: string;
  /** Piece in which the next part starts; the number of pieces when all are uploaded. */
  readonly index: number;
  /** First byte of that piece that is in no part yet. */
  readonly offset: number;
  /** Bytes in the parts so far; all of the file once `done`. */
  readonly bytes: number;
  /** State of the MD5 of those bytes (see `ResumableMd5`), if it is requested. */
  readonly md5?: string | undefined;
  /** Whether the file is whole; without a byte there is no file. */
  readonly done: boolean;
}

/** Initial state of an assembly without an MD5 sum. */
export const ASSEMBLY_START: AssemblyState = {
  step: 0,
  parts: 0,
  tags: '',
  index: 0,
  offset: 0,
  bytes: 0,
  done: false,
};

const MIB = 1024 * 1024;

/** S3 takes so many parts in one upload. */
const MAX_PARTS = 10_000;

/** Parts of each size, before they become larger. */
const PARTS_PER_SIZE = 2500;

/** S3 takes parts from 5 MiB on, the last excepted. */
const SMALLEST_PART_BYTES = 8 * MIB;

/**
 * Bytes of a part: small at first, so that small files need little memory, and larger with its number, so that the
 * 10,000 parts that S3 takes hold 195 GiB.
 *
 * @param number - Number of the part, from 1.
 * @returns Undefined beyond the last part.
 */
export function partBytes(number: number): number | undefined {
  if (number > MAX_PARTS) return undefined;
  return SMALLEST_PART_BYTES * (1 + Math.floor((number - 1) / PARTS_PER_SIZE));
}
