import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { Command } from 'commander';
import { AppError } from '../core/errors.ts';
import { examples } from './output.ts';
import { synthesize } from './synthesize.ts';

const OLDEST_NODE = 24;

const DIRECTORY = '.tensorgate';

/**
 * The `start` command: synthesizes the CDK app in the current directory and runs it on this machine.
 *
 * @returns A command for commander; its action ends when the app has been stopped.
 */
export function startCommand(): Command {
  return new Command('start')
    .description('Synthesize the CDK app in the current directory and run it on this machine.')
    .option('--port <number>', 'port of the API, 0 for a free one (environment variable PORT)')
    .option('--stage <name>', 'stage whose configuration to use', 'dev')
    .option('--allow-loopback-webhooks', 'let webhooks go to this machine, over plain HTTP too')
    .option('--no-freeze', 'keep functions running between invocations, which AWS Lambda does not do')
    .option('--app <folder>', 'run an app that is synthesized already instead')
    .addHelpText(
      'after',
      examples(['tensorgate start', 'tensorgate start --port 3001 --stage prod', 'tensorgate start --app cdk.out']),
    )
    .action(start);
}

interface StartOptions {
  readonly port?: string;
  readonly stage: string;
  readonly allowLoopbackWebhooks?: boolean;
  readonly freeze: boolean;
  readonly app?: string;
}

async function start(options: StartOptions): Promise<void> {
  checkNode(process.versions.node);
  const port = readPort(options.port ?? process.env['PORT'] ?? '3000');
  const maxEnvironments = readMaxEnvironments(process.env['TENSORGATE_MAX_ENVIRONMENTS']);
  const stopped = stopSignal();
  if (options.app === undefined) checkBundle();
  const assembly = options.app ?? (await synthesizeHere(options.stage));
  if (stopped.requested) return;
  // Loaded only now: the other commands need neither the time that it takes nor the packages.
  const { startLocal, renderBanner, renderActivity } = await loadLocalMode();
  const stack = await startLocal({
    assembly,
    directory: DIRECTORY,
    port,
    maxEnvironments,
    allowLoopbackWebhooks: options.allowLoopbackWebhooks === true,
    freezesEnvironments: options.freeze ? undefined : false,
    onActivity: (activity) => {
      const line = renderActivity(activity);
      if (line !== undefined) process.stdout.write(`${line}\n`);
    },
  });
  if (!stopped.requested) process.stdout.write(renderBanner(stack));
  await stopped.promise;
  process.stdout.write('\n  stopping\n');
  await stack.stop();
}

async function synthesizeHere(stage: string): Promise<string> {
  const folders = { projectDirectory: process.cwd(), outputDirectory: 'cdk.out' };
  const { assembly, words, warnings } = await synthesize(stage, folders);
  if (words !== '') process.stdout.write(`${words}\n`);
  for (const warning of warnings) process.stderr.write(`${styleText('yellow', 'warning')}  ${warning}\n`);
  return assembly;
}

/** Local mode needs packages that are not dependencies of the published package. */
async function loadLocalMode() {
  try {
    const [start, banner, activityLine] = await Promise.all([
      import('../local/start.ts'),
      import('../local/terminal/banner.ts'),
      import('../local/terminal/activity-line.ts'),
    ]);
    return { ...start, ...banner, ...activityLine };
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    if (!missing) throw cause;
    const message = `a package that local mode needs is not installed (${cause.message}); run npm ci in a checkout of tensorgate`;
    throw new AppError('LOCAL_START', message, { cause });
  }
}

/** Resolves at the first Ctrl-C or SIGTERM; the second ends the process immediately, and its children with it. */
function stopSignal(): { readonly promise: Promise<void>; readonly requested: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const state = { promise, requested: false };
  const onSignal = (): void => {
    if (state.requested) process.exit(130);
    state.requested = true;
    resolve();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return state;
}

function checkNode(version: string): void {
  if (Number(version.split('.')[0]) >= OLDEST_NODE) return;
  throw new AppError(
    'LOCAL_START',
    `Node ${OLDEST_NODE} or later is needed, this is ${version}; run it through npm (npm start) after npm ci, or install Node ${OLDEST_NODE}`,
  );
}

/** The functions' bundle lies beside the sources, or inside dist when this file does too. */
function checkBundle(): void {
  const root = join(import.meta.dirname, '..');
  const bundles = [join(root, 'dist/functions/serve-model/index.mjs'), join(root, 'functions/serve-model/index.mjs')];
  if (bundles.some((file) => existsSync(file))) return;
  throw new AppError(
    'LOCAL_START',
    'the bundle of the functions is not built; run npm run build:functions, or npm start',
  );
}

function readPort(text: string): number {
  const port = Number(text);
  if (text.trim() !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new AppError('LOCAL_START', `the port must be a whole number from 0 to 65535, got ${JSON.stringify(text)}`);
}

function readMaxEnvironments(text: string | undefined): number {
  if (text === undefined || text === '') return availableParallelism();
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1000) return count;
  throw new AppError(
    'LOCAL_START',
    `TENSORGATE_MAX_ENVIRONMENTS must be a whole number from 1 to 1000, got ${JSON.stringify(text)}`,
  );
}
