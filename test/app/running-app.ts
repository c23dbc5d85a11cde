import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { LocalDescription } from '../../local/local-description.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The whole product as `npm start` runs it, in a process of its own with its own folders. */
export interface RunningApp {
  readonly description: LocalDescription;
  /** Its working folder. */
  readonly directory: string;
  /** Returns the output of the app so far. */
  readonly output: () => string;
  /** Value of the key of a usage plan. */
  readonly key: (plan: string) => string;
  /**
   * Process ids of the execution environments that run now.
   *
   * @param part - Part of the name of their function. Defaults to every function.
   */
  readonly environments: (part?: string) => Promise<number[]>;
  /** Stops it as Ctrl-C does; answers its exit code. */
  readonly stop: () => Promise<number | null>;
}

/**
 * Synthesizes the app of this repository into a folder, as `tensorgate start` does.
 *
 * @param folder - Where `models/` and `config/` lie. Defaults to the repository.
 */
export async function synthesizeApp(folder = ROOT): Promise<string> {
  const assembly = await mkdtemp(join(tmpdir(), 'tensorgate-assembly-'));
  await promisify(execFile)(process.execPath, [join(ROOT, 'bin/app.ts')], {
    cwd: folder,
    env: { ...process.env, CDK_OUTDIR: assembly, CDK_VALIDATION: 'false' },
  });
  return assembly;
}

/**
 * Starts the command on a synthesized app, on a free port, and waits until it is ready.
 *
 * @param options - More of the command's options.
 */
export async function startApp(assembly: string, options: readonly string[] = []): Promise<RunningApp> {
  const directory = await mkdtemp(join(tmpdir(), 'tensorgate-app-'));
  const args = [join(ROOT, 'bin/tensorgate.ts'), 'start', '--app', assembly, '--port', '0', ...options];
  const child = spawn(process.execPath, args, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', TENSORGATE_MAX_ENVIRONMENTS: '2' },
  });
  const output = collect(child);
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await Promise.race([
    printed(child, output, 'Ctrl-C'),
    exited.then((code) => Promise.reject(new Error(`start ended with ${code}:\n${output()}`))),
  ]);
  const description = JSON.parse(await readFile(join(directory, '.tensorgate/local.json'), 'utf8')) as LocalDescription;
  return {
    description,
    directory,
    output,
    key: (plan) => description.apiKeys.find((key) => key.plan === plan)?.value ?? '',
    environments: (part) => childrenOf(child.pid ?? 0, part),
    stop: async () => {
      child.kill('SIGINT');
      const code = await exited;
      await rm(directory, { recursive: true, force: true });
      return code;
    },
  };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

function collect(child: Child): () => string {
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

function printed(child: Child, output: () => string, words: string): Promise<void> {
  return new Promise((resolve) => {
    child.stdout.on('data', () => {
      if (output().includes(words)) resolve();
    });
  });
}

/** Execution environments among the children; there is also a shell, which guards those that are frozen. */
async function childrenOf(pid: number, part = ''): Promise<number[]> {
  // With `e`, the environment of each process follows its arguments.
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(pid), 'eww']);
  const named = new RegExp(` AWS_LAMBDA_FUNCTION_NAME=\\S*${part}`);
  const processes = stdout.split('\n').filter((line) => line.includes('aws-lambda-ric') && named.test(line));
  return processes.map((line) => Number.parseInt(line, 10));
}
