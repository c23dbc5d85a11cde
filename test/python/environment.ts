import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = process.env['TENSORGATE_PYTHON'] ?? 'python3';

/**
 * Calls a function with a Python interpreter that has the packages of a requirements file. The interpreter belongs to a
 * virtual environment outside of the repository, which is removed afterwards. `TENSORGATE_PYTHON` names the Python that
 * creates it.
 *
 * @param requirements - Absolute path of the requirements file.
 * @returns What the function returns. Undefined, with a line on the terminal, if Python or a package is missing.
 */
export async function withPython<T>(requirements: string, use: (python: string) => Promise<T>): Promise<T | undefined> {
  if (spawnSync(PYTHON, ['-m', 'venv', '--help']).status !== 0) {
    console.log(`skipped: ${PYTHON} cannot create virtual environments`);
    return undefined;
  }
  const environment = await mkdtemp(join(tmpdir(), 'tensorgate-python-'));
  try {
    const python = join(environment, 'bin/python');
    const installed =
      run(PYTHON, ['-m', 'venv', environment]) &&
      run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]);
    if (installed) return await use(python);
    console.log(`skipped: the packages of ${relative(ROOT, requirements)} cannot be installed`);
    return undefined;
  } finally {
    await rm(environment, { recursive: true, force: true });
  }
}

/** Runs a command with its output on this terminal; returns whether it succeeded. */
function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}
