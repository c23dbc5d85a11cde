import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { measureMemory, type ProcessMemory } from './process-memory.ts';

/** How long a child may take to stop by itself before it is killed. */
const STOP_TIMEOUT_MS = 5000;

/** Children that run now, so that none outlives the bench. */
const running = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/** A program of the bench that runs in a process group of its own. */
export interface Child {
  /** Memory of the child and its descendants; undefined if the system does not report it. */
  memory(): ProcessMemory | undefined;
  /**
   * Waits for a line of output that matches.
   *
   * @throws Error when the child ends or the time passes without one; the message holds its last output.
   */
  line(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** Stops the child and its descendants. Never fails. */
  stop(): Promise<void>;
}

/** Settings of a child process, apart from its arguments. */
export interface ChildOptions {
  readonly cwd: string;
  /** Environment variables besides those of the bench. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program. Telemetry of onnxruntime is off in it. */
export function startChild(command: string, args: readonly string[], { cwd, env = {} }: ChildOptions): Child {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  const lines = collectLines(child);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      lines.add(String(error));
      running.delete(child);
      resolve();
    });
    child.once('exit', () => resolve());
  });
  return {
    memory: () => (child.pid === undefined ? undefined : measureMemory(child.pid)),
    line: (pattern, timeoutMs) => lines.waitFor(pattern, timeoutMs, ended, command),
    stop: () => stop(child, ended),
  };
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (!running.delete(child)) return;
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
  // Descendants that ignored the first signal are in the same group still.
  signalGroup(child, 'SIGKILL');
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

interface Lines {
  add(line: string): void;
  waitFor(pattern: RegExp, timeoutMs: number, ended: Promise<void>, command: string): Promise<RegExpExecArray>;
}

function collectLines(child: ChildProcess): Lines {
  const seen: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const add = (line: string): void => {
    seen.push(line);
    if (seen.length > 200) seen.shift();
    for (const listener of listeners) listener(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', add);
  }
  return {
    add,
    waitFor: (pattern, timeoutMs, ended, command) => {
      const found = new Promise<RegExpExecArray>((resolve) => {
        const look = (line: string): void => {
          const match = pattern.exec(line);
          if (match !== null) resolve(match);
        };
        seen.forEach(look);
        listeners.add(look);
      });
      const fail = (reason: string): never => {
        throw new Error(`${command} ${reason}:\n${seen.slice(-20).join('\n')}`);
      };
      const signal = AbortSignal.timeout(timeoutMs);
      return Promise.race([
        found,
        ended.then(() => fail('ended before it was ready')),
        once(signal, 'abort').then(() => fail(`was not ready within ${timeoutMs} ms`)),
      ]);
    },
  };
}
