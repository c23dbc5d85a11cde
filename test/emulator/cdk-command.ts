import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Emulator } from './emulator.ts';

const COMMAND = join(import.meta.dirname, '../../node_modules/aws-cdk/bin/cdk');

/** Outputs of the deployed stacks, by stack and name. */
type StackOutputs = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The CDK command in the folder of an app, against the emulator. */
export class CdkCommand {
  readonly #folder: string;
  readonly #emulator: Emulator;

  constructor(folder: string, emulator: Emulator) {
    this.#folder = folder;
    this.#emulator = emulator;
  }

  /**
   * Runs the CDK command.
   *
   * @returns Its output.
   * @throws Error with the output if the command fails.
   */
  async run(...args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [COMMAND, ...args, '--no-notices', '--ci'], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#emulator.environment,
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    const output = Buffer.concat(chunks).toString();
    if (code !== 0) throw new Error(`cdk ${args.join(' ')} ended with ${code}: ${output}`);
    return output;
  }

  /** Deploys every stack; returns their outputs. */
  async deploy(): Promise<StackOutputs> {
    const file = join(this.#folder, 'outputs.json');
    await this.run('deploy', '--all', '--require-approval', 'never', '--outputs-file', file);
    return JSON.parse(await readFile(file, 'utf8')) as StackOutputs;
  }
}
