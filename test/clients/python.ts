/**
 * Runs unchanged Python clients against a started app, and prints their verdicts as a table.
 *
 * Usage: node test/clients/python.ts
 * It makes a virtual environment with packages from PyPI. Without Python it prints a line and does nothing.
 * `TENSORGATE_PYTHON` names another interpreter.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp, synthesizeApp } from '../app/running-app.ts';

const PYTHON = process.env['TENSORGATE_PYTHON'] ?? 'python3';
const FOLDER = join(import.meta.dirname, 'python');

/** Runs a command, with its output on this terminal, and returns its exit code. */
function run(command: string, args: readonly string[]): number {
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}

if (spawnSync(PYTHON, ['-m', 'venv', '--help']).status === 0) {
  process.exitCode = await checkClients();
} else {
  console.log(`skipped: ${PYTHON} cannot make virtual environments`);
}

async function checkClients(): Promise<number> {
  const environment = await mkdtemp(join(tmpdir(), 'tensorgate-python-'));
  try {
    const python = join(environment, 'bin/python');
    const installed =
      run(PYTHON, ['-m', 'venv', environment]) === 0 &&
      run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', join(FOLDER, 'requirements.txt')]) === 0;
    if (!installed) throw new Error('the packages of test/clients/python/requirements.txt cannot be installed');
    return await checkWith(python);
  } finally {
    await rm(environment, { recursive: true, force: true });
  }
}

async function checkWith(python: string): Promise<number> {
  const assembly = await synthesizeApp();
  const app = await startApp(assembly);
  try {
    const { url, endpoints, queues } = app.description;
    const services = [endpoints['sqs'] ?? '', queues['jobs'] ?? '', queues['results'] ?? ''];
    return run(python, [join(FOLDER, 'check_clients.py'), url, app.key('internal'), ...services]);
  } finally {
    await app.stop();
    await rm(assembly, { recursive: true, force: true });
  }
}
