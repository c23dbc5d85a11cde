import type { ErrorCode } from '../core/errors.ts';

/** Exit codes of the `tensorgate` command, by what happened. */
export const EXIT_CODES = {
  done: { code: 0, meaning: 'done' },
  refused: { code: 1, meaning: 'a model, a file, a configuration or a template was refused; the message has its code' },
  usage: { code: 2, meaning: 'a command, option or argument is unknown, missing or out of range' },
  notQuantized: { code: 3, meaning: 'a model was not quantized: no scheme is accurate enough, or none gains anything' },
  unavailable: { code: 4, meaning: 'a service does not respond or refuses the call: AWS, or local mode' },
  failed: { code: 70, meaning: 'a fault of tensorgate itself' },
  interrupted: { code: 130, meaning: 'interrupted a second time, before everything had stopped' },
} as const;

/** The outcome of a command: a key of {@link EXIT_CODES}. */
export type Ending = keyof typeof EXIT_CODES;

const ENDINGS: Partial<Record<ErrorCode, Ending>> = {
  INVALID_PARAMETER: 'usage',
  ACCURACY_GATE: 'notQuantized',
  NOT_QUANTIZED: 'notQuantized',
  UNAVAILABLE: 'unavailable',
  INTERNAL: 'failed',
};

/** Returns the exit code for an error. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[ENDINGS[code] ?? 'refused'].code;
}

/** Lists the exit codes, for help. */
export function renderExitCodes(): string {
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padEnd(5)}${meaning}\n`);
  return `\nExit codes:\n${rows.join('')}`;
}
