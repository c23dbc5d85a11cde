import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Reads process ids until local mode ends, however it ends, and resumes those processes then. Nothing else could: a
 * frozen environment does not notice that its host is gone. Signals of the terminal are for local mode, not for the guard.
 */
const GUARD = 'trap "" INT TERM HUP; while read -r pid; do pids="$pids $pid"; done; kill -s CONT $pids';

/** Freezes execution environments between invocations, as Lambda does, by the signals `SIGSTOP` and `SIGCONT`. */
export class Freezer implements AsyncDisposable {
  /** Whether this platform can stop and resume a process. */
  static readonly isSupported = process.platform !== 'win32';

  readonly #guard: ChildProcess;
  readonly #guarded = new WeakSet<ChildProcess>();

  constructor() {
    this.#guard = spawn('/bin/sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'] });
    // Without a guard freezing works all the same, unless local mode is killed.
    this.#guard.on('error', () => undefined);
    this.#guard.stdin?.on('error', () => undefined);
  }

  /** Stops a process; it keeps its memory and connections. */
  freeze(environment: ChildProcess): void {
    if (!this.#guarded.has(environment)) {
      this.#guarded.add(environment);
      this.#guard.stdin?.write(`${environment.pid}\n`);
    }
    environment.kill('SIGSTOP');
  }

  /** Resumes a process; timers that are due by now run first. */
  resume(environment: ChildProcess): void {
    environment.kill('SIGCONT');
  }

  /** Ends the guard, once every environment has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#guard.pid === undefined || this.#guard.exitCode !== null || this.#guard.signalCode !== null) return;
    const ended = once(this.#guard, 'exit');
    this.#guard.kill('SIGKILL');
    await ended;
  }
}
