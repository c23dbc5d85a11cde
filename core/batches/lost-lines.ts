import { AppError } from '../errors.ts';
import type { ChunkOutcome } from './batch.ts';
import { errorLine, readLine } from './batch-line.ts';

/** Rules that every line keeps: of a lost line only the `custom_id` is read. */
const NO_RULES = { endpoint: '', models: [] };

/**
 * Writes the error lines of a chunk that no worker could run.
 *
 * @param bytes - Bytes of the chunk in the input file. Undefined if the file was deleted: there is a line for each that
 * failed, whose `custom_id` was lost with the file.
 * @returns JSONL text; empty when the chunk holds no line.
 */
export function lostLines(
  batchId: string,
  { firstLine, error, failed }: Pick<ChunkOutcome, 'firstLine' | 'error' | 'failed'>,
  bytes: Uint8Array | undefined,
): string {
  const reason = new AppError(error?.code ?? 'WORKER_LOST', error?.message ?? 'no worker could run the line');
  if (bytes === undefined) {
    const lines = Array.from({ length: failed }, (_, at) => firstLine + at);
    return lines.map((line) => `${errorLine(batchId, { line, customId: null }, reason)}\n`).join('');
  }
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
