import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Region of the emulated account. */
export const REGION = 'us-east-1';

const HOST = '127.0.0.1';
const START_LIMIT_MS = 60_000;

/** A running emulator of AWS. */
export interface Emulator {
  /** Address of its endpoint, on the loopback interface. */
  readonly url: string;
  /** File with its log. */
  readonly logFile: string;
  /** Environment of a program that must reach the emulator and nothing else. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the emulator and the functions that it runs. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the emulator on a free port of the loopback interface.
 *
 * @param python - Interpreter that has the emulator's package.
 * @param folder - Where it may write; its functions run there too.
 * @throws Error if the emulator does not respond within a minute.
 */
export async function startEmulator(python: string, folder: string): Promise<Emulator> {
  await mkdir(folder, { recursive: true });
  const port = await findFreePort();
  const url = `http://${HOST}:${port}`;
  const logFile = join(folder, 'emulator.log');
  const log = await open(logFile, 'w');
  const environment = isolatedEnvironment(url, folder);
  const child = spawn(python, [join(import.meta.dirname, 'run_ministack.py')], {
    cwd: folder,
    // A process group of its own, because its functions are processes too.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: {
      ...environment,
      GATEWAY_PORT: String(port),
      BIND_HOST: HOST,
      MINISTACK_HOST: HOST,
      MINISTACK_REGION: REGION,
      // The functions inherit this: receivers of webhooks are on the loopback interface here.
      TENSORGATE_ALLOW_LOOPBACK_WEBHOOKS: '1',
    },
  });
  await log.close();
  const killAtExit = () => signalGroup(child, 'SIGKILL');
  process.once('exit', killAtExit);
  const stop = async () => {
    await stopGroup(child);
    process.off('exit', killAtExit);
  };
  try {
    await waitUntilHealthy(url, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, logFile, environment, stop };
}

/** Holds no variable of this process but the path: no credentials, no profile and no other endpoint can be found. */
function isolatedEnvironment(url: string, folder: string): Record<string, string> {
  return {
    // The emulator runs functions with the first `node` of the path: this very Node.
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: folder,
    TMPDIR: folder,
    AWS_ENDPOINT_URL: url,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_CONFIG_FILE: join(folder, 'no-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: '1',
    NO_COLOR: '1',
  };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

async function waitUntilHealthy(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const response = await fetch(`${url}/_ministack/health`).catch(() => undefined);
    if (response?.ok) return;
    await pause(200);
  }
  throw new Error(`the emulator does not respond at ${url}`);
}

async function stopGroup(child: ChildProcess): Promise<void> {
  const exited = child.exitCode === null ? once(child, 'exit') : undefined;
  signalGroup(child, 'SIGTERM');
  await Promise.race([exited, pause(10_000, undefined, { ref: false })]);
  signalGroup(child, 'SIGKILL');
}

/** Signals the emulator and its functions, as far as they still run. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
