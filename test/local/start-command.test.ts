import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
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
  /** Waits until something is printed, once or a number of times. */
  printed(text: string, times?: number): Promise<void>;
  /** Waits for the end. */
  readonly ended: Promise<number | null>;
}

function run(args: readonly string[], variables: Record<string, string> = {}): Run {
  return follow([process.execPath, COMMAND, 'start', ...args], variables);
}

/** Runs the command in a terminal, whose keys are the input of the process. */
function inTerminal(): Run {
  return follow(['script', '--quiet', '--command', `"${process.execPath}" "${COMMAND}" start`, '/dev/null'], {});
}

function follow([program = '', ...args]: readonly string[], variables: Record<string, string>): Run {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, {
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
  const printed = async (expected: string, times = 1): Promise<void> => {
    const { promise, resolve: found, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (text.split(expected).length > times) found();
    };
    waiting.add(look);
    void ended.then(() => reject(new Error(`ended without printing ${expected}:\n${text}`)));
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

  it('fails with LOCAL_START when the port is taken, and explains what to do', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { ended, output } = run(['--app', await writeFixtureApp(folder, APP)], { PORT: String(port) });
    expect(await ended).toBe(1);
    blocker.close();
    expect(output()).toBe(
      `LOCAL_START: port ${port} is in use by another program; choose another port: PORT=${port + 1} npm start\n`,
    );
  });

  it('looks at the port before it synthesizes anything', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    await writeFile(join(folder, 'cdk.json'), JSON.stringify({ app: 'touch synthesized && false' }));
    const { ended, output } = run([], { PORT: String(port) });
    expect(await ended).toBe(1);
    blocker.close();
    expect(output()).toMatch(/^LOCAL_START: port \d+ is in use/);
    expect(await readdir(folder)).not.toContain('synthesized');
  });

  it('leaves a running instance alone, names it, and is described in a file of its own', async () => {
    const first = await startFixture();
    const port = new URL(first.url).port;
    const refused = run(['--app', await writeFixtureApp(folder, APP)], { PORT: port });
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(
      `port ${port} is in use by local mode of this folder, process ${first.child.pid}; choose`,
    );
    const second = run(['--app', await writeFixtureApp(folder, APP)]);
    await second.printed('Ctrl-C stops everything');
    const [, file = ''] = /this one is described in (\S+)/.exec(second.output()) ?? [];
    expect(second.output()).toContain(`also running in this folder: ${first.url} (process ${first.child.pid})`);
    const description = JSON.parse(await readFile(join(folder, file), 'utf8'));
    expect(description).toMatchObject({ pid: second.child.pid, logs: `.tensorgate/logs-${second.child.pid}` });
    second.child.kill('SIGINT');
    await second.ended;
    expect(JSON.parse(await readFile(join(folder, '.tensorgate/local.json'), 'utf8')).url).toBe(first.url);
    expect((await fetch(`${first.url}/pid`)).status).toBe(200);
  });

  it('removes what a killed process left behind, and takes over its description', async () => {
    const killed = await startFixture();
    killed.child.kill('SIGKILL');
    await killed.ended;
    const left = join(folder, '.tensorgate', `assembly-${killed.child.pid}-1`);
    await mkdir(left);
    const { url, output } = await startFixture();
    expect(url).not.toBe(killed.url);
    expect(output()).not.toContain('also running');
    expect(await readdir(join(folder, '.tensorgate'))).not.toContain(left);
  });

  it('restarts and quits by keys in a terminal, reports changed files, and prints a summary', async () => {
    // `script` runs a command in a pseudo-terminal; its arguments differ between platforms.
    if (process.platform !== 'linux' || spawnSync('script', ['--version']).error !== undefined) return;
    await mkdir(join(folder, 'models'));
    const app = await writeFixtureApp(folder, APP);
    const copied = JSON.stringify({ app: `cp -r ${app}/. "$CDK_OUTDIR"` });
    await writeFile(join(folder, 'cdk.json'), copied);
    const terminal = inTerminal();
    await terminal.printed('q quit');
    const { url } = JSON.parse(await readFile(join(folder, '.tensorgate/local.json'), 'utf8'));
    await fetch(`${url}/pid`);
    await terminal.printed('/pid');
    await writeFile(join(folder, 'models/model.yaml'), 'id: a');
    await terminal.printed('models/model.yaml changed: press r to restart');
    terminal.child.stdin?.write('r');
    await terminal.printed('q quit', 2);
    expect((await fetch(`${url}/pid`)).status).toBe(200);
    await writeFile(join(folder, 'cdk.json'), JSON.stringify({ app: 'echo a mistake >&2; false' }));
    terminal.child.stdin?.write('r');
    await terminal.printed('the app runs as before: r tries again');
    expect(terminal.output()).toContain('a mistake');
    expect((await fetch(`${url}/pid`)).status).toBe(200);
    terminal.child.stdin?.write('q');
    await terminal.ended;
    expect(terminal.output()).toMatch(/stopped after \d+ s: 3 requests/);
    const names = await readdir(join(folder, '.tensorgate'));
    expect(names.filter((name) => /^(?:local|assembly)/.test(name))).toEqual([]);
  });

  it.each([
    ['the port is not a number', { PORT: 'many' }, /the port must be a whole number from 0 to 65535, got "many"/],
    ['the number of environments is none', { TENSORGATE_MAX_ENVIRONMENTS: '0' }, /TENSORGATE_MAX_ENVIRONMENTS must be/],
  ])('fails with LOCAL_START when %s', async (_, variables, message) => {
    const { ended, output } = run([], variables);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^LOCAL_START: /);
    expect(output()).toMatch(message);
  });

  it('refuses an option with an invalid port as wrong usage', async () => {
    const { ended, output } = run(['--port', 'many']);
    expect(await ended).toBe(2);
    expect(output()).toContain('the port must be a whole number from 0 to 65535, got "many"');
  });

  it('fails with TEMPLATE_INVALID when there is nothing to run', async () => {
    const { ended, output } = run(['--app', 'nowhere']);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^TEMPLATE_INVALID: .*nowhere\/manifest\.json cannot be read/m);
  });
});
