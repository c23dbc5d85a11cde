import { renderColumns } from '../local/terminal/table.ts';
import type { Summary } from './statistics.ts';

/** A table to print: the first column names the row, the others hold figures. */
export interface FigureTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Notes that a reader needs to interpret the figures. */
  readonly notes?: readonly string[];
}

/** Renders a table as text, without colours, ready for a terminal or a code block. */
export function renderTable({ title, columns, rows, notes = [] }: FigureTable): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  const rightAligned = [...columns.keys()].slice(1);
  const table = renderColumns([columns, rule, ...rows], rightAligned);
  return [title, table, ...notes.map((note) => `  ${note}`)].join('\n');
}

/** Returns a figure with as many digits as mean something: three, but never less than the whole number. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

/** Returns the median with the range that the rounds spanned: `712 (690-731)`. */
export function formatSummary({ median, min, max }: Summary): string {
  return `${formatFigure(median)} (${formatFigure(min)}-${formatFigure(max)})`;
}

/** Returns how many times as much: `2.13x`; a dash where there is nothing to compare with. */
export function formatRatio(value: number, reference: number | undefined): string {
  return reference === undefined || reference === 0 ? '-' : `${(value / reference).toFixed(2)}x`;
}

/** Bytes as people read them: `32.1 KB`, `46.3 MB` (powers of 1000). */
export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} KB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
