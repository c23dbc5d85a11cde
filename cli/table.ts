import { styleText } from 'node:util';
import { renderColumns } from '../local/terminal/table.ts';

/** Writes bytes as MB (10^6) with two decimals, or kB below one. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

/**
 * Lays rows out in columns under bold headings; plain text if `NO_COLOR` is set or the output is no terminal.
 *
 * @param rightAligned - Indices of the columns to align to the right.
 */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): string {
  return renderColumns([head.map((title) => styleText('bold', title)), ...rows], rightAligned);
}
