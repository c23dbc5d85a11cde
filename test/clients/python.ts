/**
 * Runs unchanged Python clients against a started app, and prints their verdicts as a table.
 *
 * Usage: node test/clients/python.ts
 * It installs packages from PyPI into a virtual environment. Without Python it prints a line and does nothing.
 */
import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startApp, synthesizeApp } from '../app/running-app.ts';
import { withPython } from '../python/environment.ts';

const FOLDER = join(import.meta.dirname, 'python');

/** Runs the clients, and returns their exit code. */
async function checkClients(python: string): Promise<number> {
  const assembly = await synthesizeApp();
  const app = await startApp(assembly);
  try {
    const { url, endpoints, queues } = app.description;
    const services = [endpoints['sqs'] ?? '', queues['jobs'] ?? '', queues['results'] ?? ''];
    const args = [join(FOLDER, 'check_clients.py'), url, app.key('internal'), ...services];
    return spawnSync(python, args, { stdio: 'inherit' }).status ?? 1;
  } finally {
    await app.stop();
    await rm(assembly, { recursive: true, force: true });
  }
}

process.exitCode = (await withPython(join(FOLDER, 'requirements.txt'), checkClients)) ?? 0;
