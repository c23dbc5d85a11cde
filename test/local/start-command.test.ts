import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from './fixture-app.ts';

const COMMAND = resolve('bin/tensorgate.ts');

const APP = {
  functions: {
    Fn: {
      code: `export const handler = async (event) => {
        if (event.path === '/hang') await new Promise((r) => setTimeout(r, 9000));
        return { statusCode: 200, body: String(process.pid) };
      };`,
    },
  },
  methods: { 'GET /pid': lambdaMethod('Fn'), 'GET /hang': lambdaMethod('Fn') },
};

let folder: string;
const started: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await removeFolder(folder);
});

interface Run {
  readonly child: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** Waits until something is printed. */
  printed(text: string): Promise<void>;
  /** Waits for the end. */
  readonly ended: Promise<number | null>;
}

function run(args: readonly string[], variables: Record<string, string> = {}): Run {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [COMMAND, 'start', ...args], {
    cwd: folder,
    env: { PATH, HOME, NO_COLOR: '1', PORT: '0', ...variables },
  });
  started.push(child);
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
      for (const look of waiting) look();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const printed = async (wanted: string): Promise<void> => {
    const { promise, resolve: found, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (text.includes(wanted)) found();
    };
    waiting.add(look);
    void ended.then(() => reject(new Error(`ended without printing ${wanted}:\n${text}`)));
    look();
    await promise;
    waiting.delete(look);
  };
  return { child, ended, output: () => text, printed };
}

async function startFixture(): Promise<Run & { url: string }> {
  const running = run(['--app', await writeFixtureApp(folder, APP)]);
  await running.printed('Ctrl-C stops everything');
  const { url } = JSON.parse(await readFile(join(folder, '.tensorgate/local.json'), 'utf8'));
  return { ...running, url };
}

/** State of a process as `ps` prints it: `T` when it is stopped, empty when it is gone. */
async function stateOf(pid: number): Promise<string> {
  const ps = promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)]);
  return (await ps.catch(() => ({ stdout: '' }))).stdout.trim().charAt(0);
}

/** Waits until a process is gone: ended, even if its parent has not read its exit status yet. */
async function gone(pid: number): Promise<void> {
  while (!['', 'Z'].includes(await stateOf(pid))) await setImmediate();
}

describe('tensorgate start', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('ends with everything it started on %s', async (signal) => {
    const { child, ended, url, output } = await startFixture();
    const pid = Number(await (await fetch(`${url}/pid`)).text());
    child.kill(signal);
    expect(await ended).toBe(0);
    await gone(pid);
    expect(await readdir(join(folder, '.tensorgate'))).not.toContain('local.json');
    expect(output()).toMatch(/\d\d:\d\d:\d\d {2}GET {3}\/pid {2}200 {2}\d+ ms {2}cold\n/);
  });

  it('leaves no environment behind when it is killed itself, not even a busy one', async () => {
    const { child, ended, url } = await startFixture();
    const pid = Number(await (await fetch(`${url}/pid`)).text());
    const hanging = fetch(`${url}/hang`).catch(() => undefined);
    child.kill('SIGKILL');
    await ended;
    await hanging;
    await gone(pid);
  });

  it('leaves no frozen environment behind when it is killed itself', async () => {
    if (process.platform === 'win32') return;
    const { child, ended, url } = await startFixture();
    const pid = Number(await (await fetch(`${url}/pid`)).text());
    while ((await stateOf(pid)) !== 'T') await setImmediate();
    child.kill('SIGKILL');
    await ended;
    await gone(pid);
  });

  it('keeps functions running between invocations with --no-freeze', async () => {
    const code = `let ticks = 0;
      setInterval(() => { ticks += 1; if (ticks === 20) console.log('twenty ticks'); }, 1);
      export const handler = () => ({ statusCode: 200, body: String(process.pid) });`;
    const app = await writeFixtureApp(folder, { ...APP, functions: { Fn: { code } } });
    const { printed } = run(['--app', app, '--no-freeze']);
    await printed('Ctrl-C stops everything');
    const { url } = JSON.parse(await readFile(join(folder, '.tensorgate/local.json'), 'utf8'));
    await fetch(`${url}/pid`);
    const log = join(folder, '.tensorgate/logs/fn.log');
    while (!(await readFile(log, 'utf8')).includes('twenty ticks')) await setImmediate();
  });

  it('fails with LOCAL_START when the port is taken, and says what to do', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { ended, output } = run(['--app', await writeFixtureApp(folder, APP)], { PORT: String(port) });
    expect(await ended).toBe(1);
    blocker.close();
    expect(output()).toBe(
      `LOCAL_START: port ${port} is in use; stop what uses it, or choose another: PORT=3001 npm start\n`,
    );
  });

  it.each([
    ['the port is no port', ['--port', 'many'], {}, /the port must be a whole number from 0 to 65535, got "many"/],
    [
      'the number of environments is none',
      [],
      { TENSORGATE_MAX_ENVIRONMENTS: '0' },
      /TENSORGATE_MAX_ENVIRONMENTS must be/,
    ],
  ])('fails with LOCAL_START when %s', async (_, args, variables, message) => {
    const { ended, output } = run(args, variables);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^LOCAL_START: /);
    expect(output()).toMatch(message);
  });

  it('fails with TEMPLATE_INVALID when there is nothing to run', async () => {
    const { ended, output } = run(['--app', 'nowhere']);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^TEMPLATE_INVALID: .*nowhere\/manifest\.json cannot be read/);
  });
});
