import { readFileSync } from 'node:fs';

/** Often enough that a function cannot run far past its limit, rare enough to cost nothing. */
const INTERVAL_MS = 50;

/** Watches the memory of a process, and calls back when it exceeds a limit. Does nothing except on Linux. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #limitBytes: number;
  readonly #onExceeded: () => void;
  #timer: NodeJS.Timeout | undefined;
  #peakBytes = 0;

  constructor(pid: number, limitBytes: number, onExceeded: () => void) {
    this.#pid = pid;
    this.#limitBytes = limitBytes;
    this.#onExceeded = onExceeded;
  }

  /** Peak of the memory so far, in bytes; zero if it cannot be read. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Watches from now until {@link pause}. */
  resume(): void {
    if (process.platform !== 'linux') return;
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  /** Stops watching, after a last look if there was none yet: an idle environment is frozen. */
  pause(): void {
    if (this.#timer !== undefined && this.#peakBytes === 0) this.#peakBytes = anonymousBytes(this.#pid);
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const bytes = anonymousBytes(this.#pid);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (bytes > this.#limitBytes) {
      this.pause();
      this.#onExceeded();
    }
  }
}

/**
 * Memory of a process that the kernel cannot reclaim, in bytes. Pages mapped from files (a model's weights) do not count,
 * because the kernel may drop them at any time.
 */
function anonymousBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const kibibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    return (kibibytes('RssAnon') + kibibytes('RssShmem')) * 1024;
  } catch {
    return 0; // The process has just ended.
  }
}
