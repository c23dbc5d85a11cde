import { jest } from '@jest/globals';
import { runCommandLine } from '../../cli/main.ts';

/** The exit code and the output of a command. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tensorgate` with some arguments in this process and catches what it prints. */
export async function tensorgate(...args: readonly string[]): Promise<Outcome> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const into = (lines: string[]) => (chunk: string | Uint8Array) => lines.push(String(chunk)) > 0;
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(into(stdout)),
    jest.spyOn(process.stderr, 'write').mockImplementation(into(stderr)),
  ];
  try {
    const exitCode = await runCommandLine(['node', 'tensorgate', ...args]);
    return { exitCode, stdout: stdout.join(''), stderr: stderr.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
