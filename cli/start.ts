import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { AppError } from '../core/errors.ts';
import { EXIT_CODES } from './exit-code.ts';
import type { StopSignal } from './local-session.ts';
import { examples } from './output.ts';

const OLDEST_NODE = 24;

/**
 * Defines `tensorgate start`, which synthesizes the CDK app in the current directory and runs it on this machine.
 *
 * @returns A command for commander; its action ends when the app has been stopped.
 */
export function startCommand(): Command {
  return new Command('start')
    .description('Synthesize the CDK app in the current directory and run it on this machine.')
    .option('--port <number>', 'port of the API, 0 for a free one (environment variable PORT)', portOption)
    .option('--stage <name>', 'stage whose configuration to use', 'dev')
    .option('--allow-loopback-webhooks', 'let webhooks go to this machine, over plain HTTP too')
    .option('--no-freeze', 'keep functions running between invocations, which AWS Lambda does not do')
    .option('--app <folder>', 'run an app that is synthesized already instead')
    .option('--build', 'build the functions first, in a checkout of tensorgate')
    .option('--verbose', 'also print the report of the synthesis, and everything that runs')
    .addHelpText(
      'after',
      examples([
        'tensorgate start',
        'tensorgate start --port 3001 --stage prod --verbose',
        'tensorgate start --app cdk.out',
      ]),
    )
    .action(start);
}

interface StartOptions {
  readonly port?: string;
  readonly stage: string;
  readonly allowLoopbackWebhooks?: boolean;
  readonly freeze: boolean;
  readonly app?: string;
  readonly build?: boolean;
  readonly verbose?: boolean;
}

async function start(options: StartOptions): Promise<void> {
  checkNode(process.versions.node);
  const port = readPort(options.port ?? process.env['PORT'] ?? '3000');
  const maxEnvironments = readMaxEnvironments(process.env['TENSORGATE_MAX_ENVIRONMENTS']);
  const stopped = stopSignal();
  if (options.app === undefined && options.build !== true) checkBundle();
  // Loaded only now, because the other commands do not need it.
  const { runSession } = await import('./local-session.ts');
  await runSession(
    {
      directory: '.tensorgate',
      port,
      maxEnvironments,
      allowLoopbackWebhooks: options.allowLoopbackWebhooks === true,
      freezesEnvironments: options.freeze ? undefined : false,
      app: options.app,
      stage: options.stage,
      builds: options.build === true,
      isVerbose: options.verbose === true,
    },
    stopped,
  );
}

/** Resolves at the first Ctrl-C or SIGTERM; the second ends the process immediately, and its children with it. */
function stopSignal(): StopSignal {
  const { promise, resolve } = Promise.withResolvers<void>();
  const state = { promise, requested: false };
  const onSignal = (): void => {
    if (state.requested) process.exit(EXIT_CODES.interrupted.code);
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

function portOption(text: string): string {
  try {
    readPort(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  return text;
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
