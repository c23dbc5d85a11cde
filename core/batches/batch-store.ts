import type { Batch, ChunkOutcome } from './batch.ts';

/** What workers do with the records of batches; the functions of the Batch API do more. */
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
