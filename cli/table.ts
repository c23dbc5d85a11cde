import { styleText } from 'node:util';
import { renderColumns } from '../local/terminal/table.ts';

/** Writes bytes as MB (10^6) with two decimals, or kB below one. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

/**
 * Lays rows out in columns under bold headings; plain text if `NO_COLOR` is set or the output is not a terminal.
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

/** Columns of a terminal that output is laid out for. */
const WIDTH = 80;

/**
 * Lays facts out as one `name  value` for each line under another. Values that are too long for 80 columns continue below
 * themselves; a word is never broken.
 */
export function renderFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts
    .flatMap(([name, value]) =>
      wrap(value, WIDTH - width - 2).map((line, index) => {
        const title = index === 0 ? name : '';
        return `${styleText('bold', title)}${' '.repeat(width - title.length + 2)}${line}`;
      }),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
