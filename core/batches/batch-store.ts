import type { AssemblyState } from '../files/assembly.ts';
import type { Budgets } from '../identity/budgets.ts';
import type { Batch, BatchStatus, ChunkOutcome } from './batch.ts';
import type { BatchRecord } from './batch-record.ts';

/** Stores the records of batches, for workers. */
export interface ChunkStore {
  /** Reads a batch, strongly consistent. */
  getBatch(owner: string, id: string): Promise<Batch | undefined>;
  /** Whether the outcome of a chunk is recorded. */
  hasChunk(batchId: string, index: number): Promise<boolean>;
  /**
   * Records the outcome of a chunk and counts it, once however often it is called: one transaction.
   *
   * @returns The batch as it is afterwards; `splitDone && chunksDone === chunks` means that merging is due.
   */
  finishChunk(owner: string, batchId: string, outcome: ChunkOutcome): Promise<Batch>;
}

/** Members of a batch that change, other than by the counting of chunks. */
export type BatchMembers = Partial<
  Omit<BatchRecord, 'owner' | 'id' | 'hash' | 'counts' | 'chunksDone' | 'createdAtMs'>
>;

/** A change of a batch that is made if, and only if, the batch is as expected. */
export interface BatchChange {
  readonly set: BatchMembers & {
    readonly 'merge.output'?: AssemblyState;
    readonly 'merge.errors'?: AssemblyState;
    /** When a sweep must look at the batch. */
    readonly dueAtMs?: number;
  };
  /** Statuses that the batch may have. */
  readonly statusIn: readonly BatchStatus[];
  /** Members that must have these values; undefined stands for a member that must be absent. */
  readonly expect?: BatchMembers & { readonly 'merge.output.step'?: number; readonly 'merge.errors.step'?: number };
}

/** The end of a batch. */
export interface BatchEnd {
  readonly set: BatchMembers & Required<Pick<BatchMembers, 'status' | 'endedAtMs' | 'expiresAtMs'>>;
  /** Statuses that the batch may have. */
  readonly statusIn: readonly BatchStatus[];
}

/** The outcome of a {@link BatchChange}. */
export interface BatchChanged {
  readonly isDone: boolean;
  /** The batch as it is now; undefined if it was deleted. */
  readonly batch: BatchRecord | undefined;
}

/** Which batches to list, newest first. */
export interface BatchQuery {
  readonly owner: string;
  /** From 1 to 100. */
  readonly limit: number;
  /** Id of the last batch of the page before. */
  readonly after?: string;
}

/** One page of batches. */
export interface BatchPage {
  readonly batches: readonly BatchRecord[];
  readonly hasMore: boolean;
}

/** The records of batches, for the functions of the Batch API. */
export interface BatchStore extends ChunkStore {
  getBatch(owner: string, id: string): Promise<BatchRecord | undefined>;
  finishChunk(owner: string, batchId: string, outcome: ChunkOutcome): Promise<BatchRecord>;
  /**
   * Creates the record, unless it exists, and counts it in the usage of its owner. Its input file has one reader more, in
   * the same transaction.
   *
   * @returns The record as it is now: `hash` shows whether it is the same batch.
   * @throws AppError `BUDGET_EXCEEDED`, or `FILE_NOT_FOUND` when the input file was deleted.
   */
  create(batch: BatchRecord, budgets?: Budgets): Promise<BatchRecord>;
  change(owner: string, id: string, change: BatchChange): Promise<BatchChanged>;
  /**
   * Gives a batch its final status. Its input file has one reader less, in the same transaction.
   *
   * @param batch - The batch as it was read.
   */
  end(batch: BatchRecord, end: BatchEnd): Promise<BatchChanged>;
  /**
   * Deletes a batch that has ended: a tombstone replaces its record (see `tombstoneOf`). Deleting a batch twice succeeds.
   *
   * @returns When it was deleted, milliseconds since the Unix epoch; the batch if it has not ended; undefined if it does not
   * exist.
   */
  remove(owner: string, id: string): Promise<number | BatchRecord | undefined>;
  /** Reads the outcomes of chunks; those that are not recorded are absent. */
  readChunks(batchId: string, indices: readonly number[]): Promise<ReadonlyMap<number, ChunkOutcome>>;
  /** @throws AppError `INVALID_PARAMETER` when `after` is not the id of a batch. */
  list(query: BatchQuery): Promise<BatchPage>;
}
