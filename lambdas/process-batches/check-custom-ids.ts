import { hash } from 'node:crypto';
import type { BatchRecord } from '../../core/batches/batch-record.ts';
import { CustomIds, type CustomIdsState, type DuplicateLine } from '../../core/batches/custom-ids.ts';
import { AppError } from '../../core/errors.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { StepCall } from './call.ts';

/** Bytes of the file that are read with one request. A smaller file is checked and split in one step. */
const WINDOW_BYTES = 4 * 1024 * 1024;

/** Maximum number of duplicates that a batch reports. */
const MAX_REPORTED = 10;

/** Numbers before the table in an object with the progress: the position and the lines. */
const HEADER_BYTES = 2 * Float64Array.BYTES_PER_ELEMENT;

/** The outcome of {@link checkCustomIds}. */
export interface CheckedIds {
  /** `before`: an earlier step has checked the file; `now`: this step has; `partly`: another step must continue. */
  readonly checked: 'before' | 'now' | 'partly';
  /** Lines whose `custom_id` an earlier line has: a few of them. */
  readonly duplicates: readonly DuplicateLine[];
}

/**
 * Looks for lines with the `custom_id` of an earlier line, before any line runs: results are found by these ids, and
 * OpenAI's API refuses such a file as well. A step that runs out of time stores its progress, and the next one resumes.
 *
 * @throws AppError `INPUT_NOT_FOUND` when the file was deleted.
 */
export async function checkCustomIds(batch: BatchRecord, file: PayloadReference, call: StepCall): Promise<CheckedIds> {
  const { inputBytes } = batch;
  const isLarge = inputBytes > WINDOW_BYTES;
  const key = `${payloadKeys.piecesOf(batch.owner, batch.id)}custom-ids`;
  const known = isLarge ? await readProgress(key, call) : undefined;
  if (known?.position === inputBytes) return { checked: 'before', duplicates: [] };
  const ids = new CustomIds(fingerprint, known);
  const duplicates: DuplicateLine[] = [];
  let position = ids.state.position;
  while (position < inputBytes && duplicates.length < MAX_REPORTED && call.hasTime()) {
    const slice = await call.objects.read(file.key, position, Math.min(position + WINDOW_BYTES, inputBytes));
    if (slice === undefined || slice.bytes.length === 0)
      throw new AppError('INPUT_NOT_FOUND', 'the input file was deleted');
    position += slice.bytes.length;
    duplicates.push(...ids.push(slice.bytes));
  }
  const isEnd = position >= inputBytes;
  if (isEnd) duplicates.push(...ids.end());
  if (duplicates.length > 0) return { checked: 'now', duplicates: duplicates.slice(0, MAX_REPORTED) };
  if (!isLarge && isEnd) return { checked: 'now', duplicates };
  // A line that takes longer than a step has no end that could be stored: splitting finds it, and refuses the file.
  const { state } = ids;
  const isStuck = !isEnd && state.position === (known?.position ?? 0);
  const end = { position: inputBytes, lines: state.lines, table: new Uint32Array() };
  await writeProgress(key, isEnd || isStuck ? end : state, call);
  return { checked: isEnd ? 'now' : 'partly', duplicates };
}

function fingerprint(text: string): [high: number, low: number] {
  const bytes = hash('sha256', text, 'buffer');
  // No fingerprint is zero, which stands for a free slot.
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4) || 1];
}

async function writeProgress(
  key: string,
  { position, lines, table }: CustomIdsState,
  { objects }: StepCall,
): Promise<void> {
  const header = new Uint8Array(Float64Array.of(position, lines).buffer);
  const bytes = Buffer.concat([header, new Uint8Array(table.buffer, table.byteOffset, table.byteLength)]);
  await objects.write(key, bytes, 'application/octet-stream');
}

async function readProgress(key: string, { objects }: StepCall): Promise<CustomIdsState | undefined> {
  const slice = await objects.read(key, 0, Number.MAX_SAFE_INTEGER);
  if (slice === undefined) return undefined;
  // A copy: the numbers must be aligned.
  const { buffer } = new Uint8Array(slice.bytes);
  const [position = 0, lines = 0] = new Float64Array(buffer, 0, 2);
  return { position, lines, table: new Uint32Array(buffer, HEADER_BYTES) };
}
