import { readFileSync } from 'node:fs';

/** Often enough that a function cannot run far past its limit, rare enough to cost nothing. */
const INTERVAL_MS = 50;

/** Watches the memory of a process and says when it passes a limit. On Linux only; elsewhere nothing is watched. */
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

  /** Most memory seen so far, in bytes; zero where it cannot be seen. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Looks now, and from now on until {@link pause}. */
  resume(): void {
    if (process.platform !== 'linux') return;
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  /** Looks once more if nothing was seen yet, then stops: an idle environment is frozen on AWS. */
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
 * Memory of a process that cannot be given back, in bytes: pages mapped from files (a model's weights) are left out,
 * since the kernel may drop them at any time.
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
