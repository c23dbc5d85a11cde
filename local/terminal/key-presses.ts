/** The character that a terminal sends for Ctrl-C, which is not a signal while keys are read. */
export const CONTROL_C = '\u0003';

/** The character that a terminal sends for Ctrl-D. */
export const CONTROL_D = '\u0004';

/** The members of `process.stdin` that are used. */
export interface KeySource {
  readonly isTTY?: boolean;
  setRawMode(isRaw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/**
 * Calls a listener with each key that is pressed in a terminal, without waiting for the Enter key.
 *
 * @param input - Terminal; nothing happens unless it is one.
 * @returns Restores the terminal.
 */
export function listenForKeys(input: KeySource, onKey: (key: string) => void): Disposable {
  if (input.isTTY !== true) return { [Symbol.dispose]: () => undefined };
  const onData = (chunk: Buffer): void => {
    for (const key of chunk.toString()) onKey(key);
  };
  const restore = (): void => {
    input.setRawMode(false);
  };
  input.setRawMode(true);
  input.on('data', onData);
  input.resume();
  // A terminal in raw mode is unusable, so it is restored even if the process ends without disposing.
  process.once('exit', restore);
  return {
    [Symbol.dispose]: () => {
      process.off('exit', restore);
      input.off('data', onData);
      restore();
      input.pause();
    },
  };
}
