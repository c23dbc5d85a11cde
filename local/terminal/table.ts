import { stripVTControlCharacters } from 'node:util';

/** Spaces between two columns. */
const GAP = '  ';

/**
 * Lays rows out in columns. Control sequences of colours take no width.
 *
 * @param rightAligned - Indices of the columns to align to the right.
 * @returns Lines without spaces at their ends.
 */
export function renderColumns(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string {
  const widths: number[] = [];
  for (const [index, cell] of rows.flatMap((row) => [...row.entries()])) {
    widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  }
  const align = (cell: string, index: number): string => {
    const padding = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
    return rightAligned.includes(index) ? padding + cell : cell + padding;
  };
  return rows.map((row) => row.map(align).join(GAP).trimEnd()).join('\n');
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
