import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { REPOSITORY } from './repository.ts';

/** The machine and the versions on which the figures depend. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly onnxruntime: string;
  /** Load average over one minute when the bench started: near zero on a machine that does nothing else. */
  readonly loadAtStart: number;
}

/** Returns the machine that this process runs on. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    onnxruntime: installedVersion('onnxruntime-node'),
    loadAtStart: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** Returns the version of an installed package of this project. */
export function installedVersion(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string };
  return version;
}

/** Returns the commit that is measured: its short hash, with `+` after it when files differ from it. */
export function describeCommit(): string {
  const hash = git('rev-parse', '--short=10', 'HEAD');
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}+`;
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
