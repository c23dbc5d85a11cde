import type { AssemblyState } from '../files/assembly.ts';
import type { Batch } from './batch.ts';

/** What the functions of the Batch API keep of a batch beside what workers need. */
export interface BatchRecord extends Batch {
  /** SHA-256 (base64url) over what was asked for: the same request sent twice has the same. */
  readonly hash: string;
  /** Bytes of the input file. */
  readonly inputBytes: number;
  /** Lines cut so far that are not blank. */
  readonly requests: number;
  /** How long the output files are kept, counted from their creation; absent: as long as every file. */
  readonly outputExpiresAfterSeconds?: number;
  /** How far merging has come; absent until it begins. */
  readonly merge?: BatchMerge;
  /** When the webhooks were told of the end. */
  readonly notifiedAtMs?: number;
}

/** How far the outputs of a batch are merged. */
export interface BatchMerge {
  /** When merging began, milliseconds since the Unix epoch: the output files date from then. */
  readonly startedAtMs: number;
  /** How the batch will end, settled when merging began. */
  readonly outcome: 'completed' | 'cancelled' | 'expired';
  readonly output: AssemblyState;
  readonly errors: AssemblyState;
}
