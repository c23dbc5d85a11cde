import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { checkPort, findInstances, portOf, removeLeftovers } from '../local/instances.ts';
import type { LocalOptions, LocalStack } from '../local/start.ts';
import { CONTROL_C, CONTROL_D, listenForKeys } from '../local/terminal/key-presses.ts';
import { Summary } from '../local/terminal/summary.ts';
import { buildFunctions } from './build-functions.ts';
import { toCommandError } from './command-error.ts';
import { synthesize } from './synthesize.ts';
import { watchFiles } from './watch-files.ts';

/** Settings of a session of local mode. */
export interface SessionOptions extends Omit<LocalOptions, 'assembly' | 'onActivity' | 'clock'> {
  /** Folder of a synthesized app; without it, the app of the current folder is synthesized. */
  readonly app: string | undefined;
  readonly stage: string;
  /** Whether to build the functions before the app is synthesized. */
  readonly builds: boolean;
  readonly isVerbose: boolean;
}

/** Notifies a session that it must stop. */
export interface StopSignal {
  readonly promise: Promise<void>;
  readonly requested: boolean;
}

/** Folders whose changes take effect at the next start. */
const WATCHED = ['models', 'config'];

/** A synthesized app, and what was said about it. */
interface Prepared {
  readonly assembly: string;
  /** The output of the app. */
  readonly report: string;
  /** Lines for the first screen. */
  readonly notices: readonly string[];
}

/**
 * Runs local mode until it is stopped: by a signal, or by a key in a terminal.
 *
 * @throws AppError when the app cannot be started. A failed restart is printed instead.
 */
export async function runSession(options: SessionOptions, stopped: StopSignal): Promise<void> {
  await checkPort(options.port, options.directory);
  await removeLeftovers(options.directory);
  await using session = new LocalSession(options);
  try {
    await session.start();
  } catch (error) {
    // Ctrl-C reaches the app that is being synthesized, too, which then fails.
    if (stopped.requested) return;
    throw error;
  }
  if (stopped.requested) return;
  using _keys = listenForKeys(process.stdin, (key) => session.onKey(key));
  using _watch = options.app === undefined ? watchFiles(WATCHED, (file) => session.onChange(file)) : undefined;
  await stopped.promise;
}

class LocalSession implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  readonly #summary = new Summary();
  readonly #startedMs = performance.now();
  readonly #changed = new Set<string>();
  #starts = 0;
  #hasRun = false;
  #prepared: Prepared | undefined;
  #stack: LocalStack | undefined;
  #restart: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#open(await this.#prepare(), this.#options.port);
  }

  onKey(key: string): void {
    switch (key) {
      case 'q':
      case CONTROL_C:
      case CONTROL_D:
        process.kill(process.pid, 'SIGINT');
        break;
      case 'r':
        this.#restart ??= this.#restartOnce().finally(() => {
          this.#restart = undefined;
        });
        break;
      case 'v':
        void this.#printDetails();
        break;
      case 'h':
      case '?':
        void this.#printReady();
        break;
      default:
    }
  }

  /** Prints that a file has changed, once until the next restart. */
  onChange(file: string): void {
    if (this.#restart !== undefined || this.#changed.has(file)) return;
    this.#changed.add(file);
    const next = this.#isInteractive ? 'press r to restart' : 'restart local mode to apply it';
    print(`  ${styleText('yellow', `${file} changed`)}: ${next}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#restart;
    if (this.#stack !== undefined) print('\n  stopping');
    await this.#close();
    if (!this.#hasRun) return;
    const duration = renderDuration(performance.now() - this.#startedMs);
    print(`  stopped after ${duration}: ${this.#summary.render()}`);
  }

  /** The running app is stopped only once its successor is synthesized, so that a mistake in a file costs nothing. */
  async #restartOnce(): Promise<void> {
    print('\n  restarting');
    const port = this.#stack === undefined ? this.#options.port : portOf(this.#stack.description);
    try {
      const next = await this.#prepare();
      await this.#close();
      this.#changed.clear();
      await this.#open(next, port);
    } catch (error) {
      const { code, message } = toCommandError(error);
      print(`${styleText('red', code)}: ${message}`);
      print(
        this.#stack === undefined ? '  nothing runs now: r tries again' : '  the app runs as before: r tries again',
      );
    }
  }

  async #prepare(): Promise<Prepared> {
    const { app, builds, directory, stage } = this.#options;
    if (builds) {
      print('  building the functions');
      await buildFunctions();
    }
    if (app !== undefined) return { assembly: app, report: '', notices: [] };
    print(`  synthesizing the app, stage ${stage}`);
    this.#starts += 1;
    const outputDirectory = join(directory, `assembly-${process.pid}-${this.#starts}`);
    try {
      const { assembly, words, warnings } = await synthesize(stage, {
        projectDirectory: process.cwd(),
        outputDirectory,
      });
      const notes = words.split('\n').filter((line) => line.startsWith('note: '));
      return { assembly, report: words, notices: [...warnings.map((warning) => `warning: ${warning}`), ...notes] };
    } catch (error) {
      await rm(outputDirectory, { recursive: true, force: true });
      throw error;
    }
  }

  async #open(prepared: Prepared, port: number): Promise<void> {
    this.#prepared = prepared;
    print('  starting');
    const { startLocal, renderActivity } = await loadLocalMode();
    this.#stack = await startLocal({
      ...this.#options,
      assembly: prepared.assembly,
      port,
      onActivity: (activity) => {
        this.#summary.add(activity);
        const line = renderActivity(activity);
        if (line !== undefined) print(line);
      },
    });
    this.#hasRun = true;
    if (this.#options.isVerbose) await this.#printDetails();
    for (const notice of prepared.notices) print(`  ${styleText('yellow', notice)}`);
    await this.#printReady();
  }

  /** Stops the app and removes what was synthesized for it. */
  async #close(): Promise<void> {
    const [stack, prepared] = [this.#stack, this.#prepared];
    this.#stack = undefined;
    this.#prepared = undefined;
    await stack?.stop();
    if (prepared !== undefined && prepared.assembly !== this.#options.app) {
      await rm(prepared.assembly, { recursive: true, force: true });
    }
  }

  async #printReady(): Promise<void> {
    if (this.#stack === undefined) return;
    const { renderReady } = await loadLocalMode();
    print(renderReady(this.#stack).trimEnd());
    for (const line of await this.#describeOthers(this.#stack)) print(`  ${line}`);
    const keys = ['r restart', 'v everything that runs', 'h this screen', 'q quit'].join('   ');
    print(
      `\n  ${styleText('dim', this.#isInteractive ? keys : 'Ctrl-C stops everything; --verbose prints everything that runs.')}\n`,
    );
  }

  /** Distinguishes instances in one folder. */
  async #describeOthers({ url, file }: LocalStack): Promise<string[]> {
    const { running } = await findInstances(this.#options.directory);
    const others = running.filter(({ description }) => description.url !== url);
    if (others.length === 0) return [];
    const urls = others.map(({ description }) => `${description.url} (process ${description.pid})`);
    return ['', `also running in this folder: ${urls.join(', ')}`, `this one is described in ${file}`];
  }

  async #printDetails(): Promise<void> {
    if (this.#stack === undefined) return;
    const { renderDetails } = await loadLocalMode();
    const report = this.#prepared?.report ?? '';
    if (report !== '') print(`\n${report}`);
    print(renderDetails(this.#stack).trimEnd());
  }
}

/** Local mode takes time to load. */
async function loadLocalMode() {
  const [start, banner, activityLine] = await Promise.all([
    import('../local/start.ts'),
    import('../local/terminal/banner.ts'),
    import('../local/terminal/activity-line.ts'),
  ]);
  return { ...start, ...banner, ...activityLine };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function renderDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
