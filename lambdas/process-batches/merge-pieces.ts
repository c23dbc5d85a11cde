import type { ChunkOutcome } from '../../core/batches/batch.ts';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { lostLines } from '../../core/batches/lost-lines.ts';
import { AppError } from '../../core/errors.ts';
import type { PieceSlice, Pieces } from '../../core/files/assemble.ts';
import { type ChunkPart, payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { StepCall } from './call.ts';
import { inputOf } from './input-file.ts';

/** The two files that a batch makes. */
export type PartName = 'output' | 'errors';

/** Maximum bytes of a chunk's part in one read. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/** Number of chunk outcomes in one read, which are kept in memory. */
const OUTCOMES_PER_READ = 100;

const NOTHING: PieceSlice = { bytes: new Uint8Array(), isLast: true };

/** Reads the outputs of a batch's chunks. */
export function outputPieces(batch: BatchRecord, call: StepCall): Pieces['read'] {
  const outcomeOf = outcomes(batch, call);
  return async (index, offset) => {
    const outcome = await outcomeOf(index);
    if (!outcome.hasOutput) return NOTHING;
    return readPart(payloadKeys.chunkOutput(partOf(batch, outcome)), offset, call);
  };
}

/** Reads the error lines of the chunks of a batch; the lines of a chunk that no worker could run are made here. */
export function errorPieces(batch: BatchRecord, call: StepCall): Pieces['read'] {
  const outcomeOf = outcomes(batch, call);
  return async (index, offset) => {
    const outcome = await outcomeOf(index);
    if (!outcome.hasErrors) return NOTHING;
    if (outcome.state === 'lost') return { bytes: await loseLines(batch, outcome, call), isLast: true };
    return readPart(payloadKeys.chunkErrors(partOf(batch, outcome)), offset, call);
  };
}

function partOf({ owner, id }: BatchRecord, { index, attempt }: ChunkOutcome): ChunkPart {
  return { owner, batchId: id, index, attempt };
}

async function readPart(key: string, offset: number, { objects }: StepCall): Promise<PieceSlice> {
  const slice = await objects.read(key, offset, offset + WINDOW_BYTES);
  if (slice === undefined) throw new AppError('INPUT_NOT_FOUND', 'a part of the output was deleted');
  return { bytes: slice.bytes, isLast: offset + slice.bytes.length >= slice.total };
}

async function loseLines(batch: BatchRecord, outcome: ChunkOutcome, call: StepCall): Promise<Uint8Array> {
  const slice = await call.objects.read(inputOf(batch, call).key, outcome.start, outcome.end);
  return Buffer.from(lostLines(batch.id, outcome, slice?.bytes));
}

/** Reads outcomes a hundred at a time, and keeps those of two reads: pieces are read in order, some of them ahead. */
function outcomes({ id, chunks }: BatchRecord, { batches }: StepCall): (index: number) => Promise<ChunkOutcome> {
  const pages = new Map<number, Promise<ReadonlyMap<number, ChunkOutcome>>>();
  return async (index) => {
    const page = Math.floor(index / OUTCOMES_PER_READ);
    const first = page * OUTCOMES_PER_READ;
    const count = Math.min(OUTCOMES_PER_READ, chunks - first);
    const reading =
      pages.get(page) ??
      batches.readChunks(
        id,
        Array.from({ length: count }, (_, at) => first + at),
      );
    pages.set(page, reading);
    pages.delete(page - 2);
    const outcome = (await reading).get(index);
    if (outcome === undefined) throw new AppError('UNAVAILABLE', 'the outcome of a chunk is not recorded');
    return outcome;
  };
}
