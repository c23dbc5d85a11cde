import { AppError } from '../errors.ts';
import type { ChunkOutcome } from './batch.ts';
import { errorLine, readLine } from './batch-line.ts';

/** Rules that every line keeps: of a lost line only the `custom_id` is read. */
const NO_RULES = { endpoint: '', models: [] };

/**
 * Writes the error lines of a chunk that no worker could run.
 *
 * @param bytes - Bytes of the chunk in the input file; undefined if the file was deleted.
 * @returns JSONL text; empty when the chunk holds no line.
 */
export function lostLines(
  batchId: string,
  { firstLine, error }: Pick<ChunkOutcome, 'firstLine' | 'error'>,
  bytes: Uint8Array | undefined,
): string {
  const reason = new AppError(error?.code ?? 'WORKER_LOST', error?.message ?? 'no worker could run the line');
  if (bytes === undefined) return `${errorLine(batchId, { line: firstLine, customId: null }, reason)}\n`;
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines
    .map((text, index) => ({ text: text.trim(), line: firstLine + index }))
    .filter(({ text }) => text !== '')
    .map(({ text, line }) => {
      const { customId } = readLine(text, line, NO_RULES);
      return `${errorLine(batchId, { line, customId }, reason)}\n`;
    })
    .join('');
}
