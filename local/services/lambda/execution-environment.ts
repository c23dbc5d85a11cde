import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ActivitySink, EnvironmentChanged } from '../../activity/activity.ts';
import type { CustomAttributes } from '../../template/custom-attributes.ts';
import type { FunctionPlan } from '../../template/plan-functions.ts';
import { environmentVariables, type InitializationType } from './environment-variables.ts';
import type { Freezer } from './freezer.ts';
import type { FunctionLog } from './function-log.ts';
import { type EnvironmentOutcome, failed } from './invocation.ts';
import { MemoryWatch } from './memory-watch.ts';
import { type PendingInvocation, RuntimeApi } from './runtime-api.ts';

const PRELOAD = new URL('./runtime-preload.mjs', import.meta.url).href;

/** Go's names of signals, which is how Lambda reports them. */
const SIGNAL_NAMES: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGABRT: 'aborted (core dumped)',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault (core dumped)',
  SIGTERM: 'terminated',
};

/** How long an environment stays stopped before its invocation times out. */
const STALLED_MS = 1000;

/** Settings of an {@link ExecutionEnvironment}. */
export interface EnvironmentSettings {
  readonly plan: FunctionPlan;
  readonly version: string;
  readonly initializationType: InitializationType;
  readonly endpointUrl: string;
  /** Attributes of custom resources, for environment variables that refer to them. */
  readonly attributes: CustomAttributes;
  readonly log: FunctionLog;
  readonly activity: ActivitySink;
  /** Freezes the process while it waits for an invocation; without it the process keeps running. */
  readonly freezer: Freezer | undefined;
  /** How far the local time is ahead of the machine's, in milliseconds. */
  readonly aheadMs: () => number;
}

/** How the init phase ended. */
export type InitOutcome = { readonly kind: 'ready' } | { readonly kind: 'timeout' } | EnvironmentOutcome;

/** One execution environment: a process that runs AWS's own runtime client and takes one invocation at a time. */
export class ExecutionEnvironment {
  /** Whether the environment was started on demand or by provisioned concurrency. */
  readonly initializationType: InitializationType;
  /** Distinguishes it from all other environments. */
  readonly id = randomUUID();
  /** When it last finished an invocation, in milliseconds on the monotonic clock. */
  idleSinceMs = performance.now();
  readonly #settings: EnvironmentSettings;
  readonly #startedMs = performance.now();
  readonly #initialized = Promise.withResolvers<InitOutcome>();
  #api: RuntimeApi | undefined;
  #process: ChildProcess | undefined;
  #memory: MemoryWatch | undefined;
  #initMs = 0;
  #current: { readonly requestId: string; settle(outcome: EnvironmentOutcome): void } | undefined;
  #initError: EnvironmentOutcome | undefined;
  #isFrozen = false;
  #ended = false;
  #exitReason = exitReason(0, null);

  private constructor(settings: EnvironmentSettings) {
    this.#settings = settings;
    this.initializationType = settings.initializationType;
  }

  /** Starts the process; {@link initialize} waits until it is ready. */
  static async start(settings: EnvironmentSettings): Promise<ExecutionEnvironment> {
    const environment = new ExecutionEnvironment(settings);
    await environment.#spawn();
    return environment;
  }

  /** Whether the process has ended. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Process id. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Duration of the init phase, in milliseconds. */
  get initMs(): number {
    return this.#initMs;
  }

  /** Peak of the memory, in bytes. */
  get peakMemoryBytes(): number {
    return this.#memory?.peakBytes ?? 0;
  }

  /**
   * Waits for the end of the init phase.
   *
   * @param limitMs - Maximum time. After it the process is killed.
   */
  async initialize(limitMs: number): Promise<InitOutcome> {
    const timer = setTimeout(() => {
      this.#initialized.resolve({ kind: 'timeout' });
      this.#kill();
    }, limitMs);
    const outcome = await this.#initialized.promise;
    clearTimeout(timer);
    return outcome;
  }

  /**
   * Runs one invocation; the environment must be initialized and idle.
   *
   * @param timeoutMs - Maximum time of the handler. After it the process is killed.
   */
  async invoke(
    invocation: Pick<PendingInvocation, 'requestId' | 'payload' | 'functionArn'>,
    timeoutMs: number,
  ): Promise<EnvironmentOutcome> {
    const { promise, resolve } = Promise.withResolvers<EnvironmentOutcome>();
    if (this.#ended) return this.#exitError(invocation.requestId);
    this.#current = { requestId: invocation.requestId, settle: resolve };
    const timer = setTimeout(() => this.#timeOut(timeoutMs), timeoutMs);
    this.#unfreeze();
    this.#memory?.resume();
    const aheadMs = Math.round(this.#settings.aheadMs());
    const deadlineMs = Date.now() + aheadMs + timeoutMs;
    this.#api?.deliver({ ...invocation, deadlineMs, aheadMs, traceId: traceId() });
    const outcome = await promise;
    clearTimeout(timer);
    this.#memory?.pause();
    this.idleSinceMs = performance.now();
    return outcome;
  }

  /**
   * Stops the process as if its work never ended. The invocation times out soon, whatever its timeout is: a process that is
   * stopped does not notice the time.
   */
  stall(): void {
    const { freezer, plan } = this.#settings;
    if (this.#process === undefined || this.#current === undefined) return;
    freezer?.freeze(this.#process);
    setTimeout(() => this.#timeOut(plan.timeoutMs), STALLED_MS);
  }

  /** Kills the process, as Lambda does. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || this.#ended) return;
    const exited = once(child, 'exit');
    this.#kill();
    await exited;
  }

  async #spawn(): Promise<void> {
    const { plan, log, version, initializationType, endpointUrl, attributes } = this.#settings;
    this.#api = await RuntimeApi.listen({
      onNext: () => {
        this.#becomeReady();
        this.#freeze();
      },
      onOutcome: (_, outcome) => this.#settle(outcome),
      onInitError: (payload) => {
        this.#initError = { kind: 'failed', payload };
        this.#initialized.resolve(this.#initError);
      },
    });
    const child = spawn(process.execPath, [...nodeArguments(plan.memoryMiB), runtimeClient()], {
      cwd: plan.taskRoot,
      stdio: ['ignore', log.descriptor, log.descriptor],
      env: environmentVariables(
        { ...plan, environment: attributes.fill(plan.environment) },
        {
          version,
          initializationType,
          endpointUrl,
          logStream: logStream(version),
          sessionToken: this.id,
          runtimeApi: this.#api.address,
        },
      ),
    });
    this.#process = child;
    child.once('error', () => this.#end(null, null));
    child.once('exit', (code, signal) => this.#end(code, signal));
    if (child.pid === undefined) return;
    this.#report('environment.started', child.pid);
    this.#memory = new MemoryWatch(child.pid, plan.memoryMiB * 1_048_576, () => this.#kill());
    this.#memory.resume();
  }

  #becomeReady(): void {
    if (this.#initMs > 0) return;
    this.#initMs = performance.now() - this.#startedMs;
    this.#memory?.pause();
    const { plan, activity } = this.#settings;
    activity.publish({
      type: 'environment.initialized',
      functionName: plan.name,
      pid: this.pid ?? 0,
      initMs: this.#initMs,
    });
    this.#initialized.resolve({ kind: 'ready' });
  }

  /** Lambda freezes an environment as soon as its runtime asks for the next invocation and there is none. */
  #freeze(): void {
    const { freezer } = this.#settings;
    if (freezer === undefined || this.#process === undefined || this.#current !== undefined || this.#ended) return;
    freezer.freeze(this.#process);
    this.#isFrozen = true;
    this.#report('environment.frozen', this.pid);
  }

  #unfreeze(): void {
    if (!this.#isFrozen || this.#process === undefined) return;
    this.#settings.freezer?.resume(this.#process);
    this.#isFrozen = false;
    this.#report('environment.resumed', this.pid);
  }

  #report(type: EnvironmentChanged['type'], pid: number | undefined): void {
    if (pid !== undefined) this.#settings.activity.publish({ type, functionName: this.#settings.plan.name, pid });
  }

  #settle(outcome: EnvironmentOutcome): void {
    const current = this.#current;
    this.#current = undefined;
    current?.settle(outcome);
  }

  #timeOut(timeoutMs: number): void {
    const errorMessage = `RequestId: ${this.#current?.requestId ?? ''} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
    this.#settle(failed({ errorType: 'Sandbox.Timedout', errorMessage }, 'timeout'));
    this.#kill();
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    this.#ended = true;
    this.#report('environment.ended', this.pid);
    this.#memory?.pause();
    this.#api?.close();
    this.#exitReason = exitReason(code, signal);
    this.#initialized.resolve(this.#initError ?? this.#exitError('init'));
    this.#settle(this.#exitError(this.#current?.requestId ?? ''));
  }

  #exitError(requestId: string): EnvironmentOutcome {
    const errorMessage = `RequestId: ${requestId} Error: ${this.#exitReason}`;
    return failed({ errorType: 'Runtime.ExitError', errorMessage }, 'error');
  }

  #kill(): void {
    this.#process?.kill('SIGKILL');
  }
}

function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `Runtime exited with error: signal: ${SIGNAL_NAMES[signal] ?? signal}`;
  return code ? `Runtime exited with error: exit status ${code}` : 'Runtime exited without providing a reason';
}

/** Flags of the managed runtime: nine tenths of the memory are for the old generation. */
function nodeArguments(memoryMiB: number): string[] {
  return ['--max-http-header-size=81920', `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`, '--import', PRELOAD];
}

/** The published package holds the client beside this file. */
function runtimeClient(): string {
  const included = join(import.meta.dirname, 'aws-lambda-ric.mjs');
  if (existsSync(included)) return included;
  return join(dirname(createRequire(import.meta.url).resolve('aws-lambda-ric/package.json')), 'index.mjs');
}

function logStream(version: string): string {
  return `${new Date().toISOString().slice(0, 10).replaceAll('-', '/')}/[${version}]${randomBytes(16).toString('hex')}`;
}

function traceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Parent=${randomBytes(8).toString('hex')};Sampled=0`;
}
