import type { AssemblyState } from '../files/assembly.ts';
import type { Batch } from './batch.ts';
import type { ChunkLimits } from './chunk-plan.ts';

/** The whole record of a batch: the members for workers, and those for the functions of the Batch API. */
export interface BatchRecord extends Batch {
  /** SHA-256 (base64url) of the request: the same request sent twice has the same hash. */
  readonly hash: string;
  /** Bytes of the input file. */
  readonly inputBytes: number;
  /**
   * Bounds of its chunks, recorded when its first chunk is cut: another release may have others. Absent if an earlier
   * release recorded none.
   */
  readonly chunkLimits?: ChunkLimits;
  /** Lines cut so far that are not blank. */
  readonly requests: number;
  /** How long the output files are kept, counted from their creation; absent: as long as every file. */
  readonly outputExpiresAfterSeconds?: number;
  /** Progress of the merge; absent until it starts. */
  readonly merge?: BatchMerge;
  /** Whether the record of the input file counts this batch among its readers. */
  readonly readsFile?: true;
  /** When the webhooks were notified of the completion. */
  readonly notifiedAtMs?: number;
}

/** Progress of the merge of a batch's outputs. */
export interface BatchMerge {
  /** When the merge started, milliseconds since the Unix epoch: the output files date from then. */
  readonly startedAtMs: number;
  /** The final status of the batch, decided when the merge started. */
  readonly outcome: 'completed' | 'cancelled' | 'expired' | 'failed';
  readonly output: AssemblyState;
  readonly errors: AssemblyState;
}
