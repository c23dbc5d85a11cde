import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { extname, join } from 'node:path';
import { AppError } from '../../../core/errors.ts';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import type { ActivitySink, ContainerChanged } from '../../activity/activity.ts';
import type { VariantPlan } from '../../template/plan-endpoints.ts';

/** TypeScript in a checkout, JavaScript in the published package. */
const ENTRY = join(import.meta.dirname, `container${extname(import.meta.filename)}`);

/** Pause before a container that has ended is restarted. */
const RESTART_MS = 1000;

/** Time that a container has to end before it is killed; SageMaker gives 30 seconds. */
const END_MS = 1000;

/** Response of a container. */
export interface ContainerResponse extends ContainerMessage {
  readonly status: number;
}

/** Settings of a {@link ContainerProcess}. */
export interface ContainerSettings {
  readonly plan: VariantPlan;
  /** Name of the endpoint and of the variant; the log file is called after it. */
  readonly name: string;
  readonly logsDirectory: string;
  readonly activity: ActivitySink;
}

/** The container of one production variant; it is restarted when it ends. */
export class ContainerProcess {
  readonly plan: VariantPlan;
  readonly #settings: ContainerSettings;
  readonly #log: WriteStream;
  readonly #logPath: string;
  #process: ChildProcess | undefined;
  #port: number | undefined;
  #accelerators: readonly string[] = [];
  #ready = Promise.withResolvers<void>();
  #restart: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(settings: ContainerSettings) {
    this.plan = settings.plan;
    this.#settings = settings;
    mkdirSync(settings.logsDirectory, { recursive: true });
    this.#logPath = join(settings.logsDirectory, `${settings.name}.log`);
    this.#log = createWriteStream(this.#logPath, { flags: 'a' });
    // Callers of ready() get the rejection. Without a caller it must not crash local mode.
    this.#ready.promise.catch(() => undefined);
    this.#start();
  }

  /** Process id; undefined while there is no process. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Accelerators that its model asks for and that this machine lacks; known once the container responds. */
  get accelerators(): readonly string[] {
    return this.#accelerators;
  }

  /** Whether the container responds. */
  get isReady(): boolean {
    return this.#port !== undefined;
  }

  /**
   * Waits until the container responds.
   *
   * @throws AppError `LOCAL_START` if it ends before that.
   */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /**
   * Sends a request to the container.
   *
   * @throws Error if the container is not running, ends during the request, or the signal aborts.
   */
  async invoke({ contentType, body }: ContainerMessage, signal: AbortSignal): Promise<ContainerResponse> {
    if (this.#port === undefined) throw new Error('the container is not running');
    const startedMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${this.#port}/invocations`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: new Uint8Array(body),
      signal,
    });
    const responseBody = new Uint8Array(await response.arrayBuffer());
    this.#log.write(`invocation ${response.status} in ${Math.round(performance.now() - startedMs)} ms\n`);
    return { status: response.status, contentType: response.headers.get('content-type') ?? '', body: responseBody };
  }

  /** Ends the container. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#restart);
    const process = this.#process;
    if (process?.exitCode === null && process.signalCode === null) {
      const ended = once(process, 'exit');
      process.kill('SIGTERM');
      const killer = setTimeout(() => process.kill('SIGKILL'), END_MS);
      await ended;
      clearTimeout(killer);
    }
    this.#log.end();
  }

  #start(): void {
    const { archive, environment } = this.plan;
    const { PATH, HOME, TMPDIR } = process.env;
    const inherited = Object.entries({ PATH, HOME, TMPDIR }).filter(([, value]) => value !== undefined);
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY], {
      env: {
        ...Object.fromEntries(inherited),
        ...environment,
        TENSORGATE_ARCHIVE: archive,
        ORT_DISABLE_TELEMETRY: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process = child;
    this.#report('container.started');
    child.stdout?.pipe(this.#log, { end: false });
    child.stderr?.pipe(this.#log, { end: false });
    child.once('message', (message: { readonly port: number; readonly accelerators: readonly string[] }) => {
      this.#port = message.port;
      this.#accelerators = message.accelerators;
      this.#report('container.ready');
      this.#ready.resolve();
    });
    child.once('exit', () => this.#ended());
  }

  #report(type: ContainerChanged['type']): void {
    this.#settings.activity.publish({ type, container: this.#settings.name });
  }

  #ended(): void {
    this.#report('container.ended');
    if (this.#port === undefined) {
      const message = `the container of variant ${this.plan.name} does not start, ${this.#logPath} says why`;
      this.#ready.reject(new AppError('LOCAL_START', message));
    }
    this.#port = undefined;
    this.#ready = Promise.withResolvers<void>();
    this.#ready.promise.catch(() => undefined);
    if (!this.#isStopped) this.#restart = setTimeout(() => this.#start(), RESTART_MS);
  }
}
