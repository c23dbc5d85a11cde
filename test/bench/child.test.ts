import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { startChild } from '../../bench/child.ts';

const start = (script: string) => startChild(process.execPath, ['-e', script], { cwd: process.cwd() });

/** Returns whether a process runs. The system may list a process that has ended until its parent reads its exit status. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a child of the bench', () => {
  // It hangs, and so fails, when the second process is left behind.
  it('starts when it prints a line, and stops its own children when it stops', async () => {
    const child = start(`
      const { spawn } = require('node:child_process');
      const grandchild = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6); console.log("up")']);
      grandchild.stdout.once('data', () => console.log('ready', process.pid, grandchild.pid));
      setInterval(() => {}, 1e6);
    `);
    const [, parent, grandchild] = await child.line(/ready (\d+) (\d+)/, 20_000);
    await child.stop();
    expect(isAlive(Number(parent))).toBe(false);
    while (isAlive(Number(grandchild))) await new Promise((resolve) => setImmediate(resolve));
  });

  it('fails with its last output when it ends before it is ready', async () => {
    const child = start('console.error("no such model"); process.exit(3)');
    await expect(child.line(/listening/, 20_000)).rejects.toThrow(/ended before it was ready:\nno such model/);
  });
});
