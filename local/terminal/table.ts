import Table from 'cli-table3';

/** Lays rows out in columns, without lines. */
export function columns(rows: readonly (readonly string[])[]): string {
  const empty = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'];
  const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'];
  const table = new Table({
    chars: Object.fromEntries([...empty, ...inner].map((name) => [name, ''])),
    style: { 'padding-left': 2, 'padding-right': 1, head: [], border: [] },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
