import { stripVTControlCharacters } from 'node:util';

/** Spaces between two columns. */
const GAP = '  ';

/**
 * Lays rows out in columns. A cell may hold several lines; control sequences of colours take no width.
 *
 * @param rightAligned - Indices of the columns to align to the right.
 * @returns Lines without spaces at their ends.
 */
export function renderColumns(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string {
  const lines = rows.flatMap(linesOf);
  const widths: number[] = [];
  for (const [index, cell] of lines.flatMap((line) => [...line.entries()])) {
    widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  }
  const align = (cell: string, index: number): string => {
    const padding = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
    return rightAligned.includes(index) ? padding + cell : cell + padding;
  };
  return lines.map((line) => line.map(align).join(GAP).trimEnd()).join('\n');
}

/** The lines of a row: as many as its cell with the most lines has. */
function linesOf(row: readonly string[]): readonly (readonly string[])[] {
  const cells = row.map((cell) => cell.split('\n'));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => cells.map((lines) => lines[line] ?? ''));
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
