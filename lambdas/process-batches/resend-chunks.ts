import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { ChunkPlan, textStart } from '../../core/batches/chunk-plan.ts';
import type { ChunkPlace } from '../../core/batches/step-message.ts';
import { AppError } from '../../core/errors.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import type { StepCall } from './call.ts';
import { endWithoutLines } from './complete-batch.ts';
import { type NumberedChunk, numberChunks, sendChunks } from './send-chunks.ts';

/** Chunks whose outcomes are read with one request. */
const CHUNKS_PER_READ = 100;

/** Bytes of the file that are read with one request. A gap is often a single chunk. */
const WINDOW_BYTES = 512 * 1024;

/**
 * Sends the chunks of a split batch again that have no outcome, or counts them as stopped if the batch is over. The
 * messages of such chunks are gone; a chunk whose message still waits nevertheless runs once.
 *
 * The chunks of a gap are cut again from the last chunk before it whose place is known: splitting depends on nothing but
 * the bytes from there and the limits in the record of the batch.
 *
 * @param from - Where to start.
 * @returns Where the next step must continue; undefined when every chunk was looked at.
 */
export async function resendChunks(
  batch: BatchRecord,
  file: PayloadReference,
  from: ChunkPlace,
  call: StepCall,
): Promise<ChunkPlace | undefined> {
  let place = from;
  for (let first = from.index; first < batch.chunks; first += CHUNKS_PER_READ) {
    if (!call.hasTime()) return place;
    const last = Math.min(first + CHUNKS_PER_READ, batch.chunks) - 1;
    const indices = Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const outcomes = await call.batches.readChunks(batch.id, indices);
    const missing = indices.filter((index) => !outcomes.has(index));
    for (const gap of gapsOf(missing)) {
      place = outcomes.get(gap.first - 1) ?? place;
      const chunks = await cut(batch, file, place, gap.last, call);
      await sendChunks(
        batch,
        file,
        chunks.filter(({ index }) => index >= gap.first),
        call,
      );
      // An index beyond the end of the file: the batch was abandoned while it was split.
      for (let index = (chunks.at(-1)?.index ?? place.index - 1) + 1; index <= gap.last; index++) {
        await endWithoutLines(batch, index, call);
      }
      place = chunks.at(-1) ?? place;
    }
    place = placeOf(outcomes.get(last) ?? place);
  }
  return undefined;
}

interface Gap {
  readonly first: number;
  readonly last: number;
}

/** Joins numbers that follow each other. */
function gapsOf(indices: readonly number[]): Gap[] {
  const gaps: Gap[] = [];
  for (const index of indices) {
    const gap = gaps.at(-1);
    if (gap?.last === index - 1) gaps[gaps.length - 1] = { ...gap, last: index };
    else gaps.push({ first: index, last: index });
  }
  return gaps;
}

function placeOf({ index, start, firstLine }: ChunkPlace): ChunkPlace {
  return { index, start, firstLine };
}

/**
 * Cuts chunks from a place to the chunk with a number.
 *
 * @throws AppError `INPUT_NOT_FOUND` when the file was deleted.
 */
async function cut(
  { inputBytes, chunkLimits }: BatchRecord,
  file: PayloadReference,
  from: ChunkPlace,
  last: number,
  { objects }: StepCall,
): Promise<readonly NumberedChunk[]> {
  let position = from.start;
  if (position === 0) position = textStart((await objects.read(file.key, 0, 3))?.bytes ?? new Uint8Array());
  const plan = new ChunkPlan(position, from.firstLine, chunkLimits);
  const chunks: NumberedChunk[] = [];
  const next = () => (chunks.at(-1)?.index ?? from.index - 1) + 1;
  while (position < inputBytes && next() <= last) {
    const slice = await objects.read(file.key, position, Math.min(position + WINDOW_BYTES, inputBytes));
    if (slice === undefined || slice.bytes.length === 0) throw deleted();
    position += slice.bytes.length;
    chunks.push(...numberChunks(plan.push(slice.bytes), next()));
  }
  if (position >= inputBytes && next() <= last) chunks.push(...numberChunks(plan.end(), next()));
  return chunks.filter(({ index }) => index <= last);
}

function deleted(): AppError {
  return new AppError('INPUT_NOT_FOUND', 'the input file was deleted');
}
