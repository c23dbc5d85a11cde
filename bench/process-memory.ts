import { readdirSync, readFileSync } from 'node:fs';

/** Memory of a process and all its descendants. */
export interface ProcessMemory {
  /** Resident set sizes added up, in MiB; pages that several processes share count once for each. */
  readonly rssMiB: number;
  /** Proportional set sizes added up, in MiB: shared pages are split among those who share them. */
  readonly pssMiB: number;
}

/**
 * Measures a process and all its descendants.
 *
 * @returns Undefined where the system has no `/proc`, or when the process is gone.
 */
export function measureMemory(pid: number): ProcessMemory | undefined {
  const sizes = processTree(pid).flatMap((member) => readSizes(member) ?? []);
  if (sizes.length === 0) return undefined;
  return {
    rssMiB: sizes.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
    pssMiB: sizes.reduce((sum, { pssMiB }) => sum + pssMiB, 0),
  };
}

function processTree(root: number): readonly number[] {
  const parents = new Map(listProcesses().map((pid) => [pid, parentOf(pid)]));
  const members = [root];
  for (const member of members) {
    for (const [pid, parent] of parents) if (parent === member) members.push(pid);
  }
  return members;
}

function listProcesses(): readonly number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid));
  } catch {
    return [];
  }
}

function parentOf(pid: number): number | undefined {
  // The command in parentheses may hold anything, so the fields are counted from its end.
  const stat = read(`/proc/${pid}/stat`);
  const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  return parent === undefined ? undefined : Number(parent);
}

function readSizes(pid: number): ProcessMemory | undefined {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  if (rollup === undefined) return undefined;
  return { rssMiB: kibibytes(rollup, 'Rss') / 1024, pssMiB: kibibytes(rollup, 'Pss') / 1024 };
}

function kibibytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
