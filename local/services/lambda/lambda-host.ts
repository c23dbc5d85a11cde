import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { type ActivitySink, type InvocationCompleted, NO_ACTIVITY } from '../../activity/activity.ts';
import { CustomAttributes } from '../../template/custom-attributes.ts';
import { functionArn } from '../../template/physical-names.ts';
import type { FunctionPlan } from '../../template/plan-functions.ts';
import { EnvironmentPool } from './environment-pool.ts';
import type { ExecutionEnvironment } from './execution-environment.ts';
import { Freezer } from './freezer.ts';
import { FunctionLog } from './function-log.ts';
import {
  type EnvironmentOutcome,
  errorOf,
  failed,
  type InvocationOutcome,
  type InvocationResult,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
} from './invocation.ts';
import { Slots } from './slots.ts';

/** Maximum duration of the init phase. After it Lambda starts the phase again within the function's own timeout. */
const INIT_LIMIT_MS = 10_000;

/** Provisioned environments may take longer, up to 15 minutes. */
const PROVISIONED_INIT_LIMIT_MS = 900_000;

/**
 * How long a request waits for an environment. AWS Lambda throttles immediately; but a computer has few environments, and a short
 * wait stands for those that AWS would start.
 */
const WAIT_LIMIT_MS = 1000;

/** Time after an invocation at which its function's log is read. */
const LOG_DELAY_MS = 20;

/** An idle environment lives on for some minutes on AWS. */
const IDLE_LIMIT_MS = 600_000;

/** Options of a {@link LambdaHost}. */
export interface LambdaHostOptions {
  readonly functions: readonly FunctionPlan[];
  /** Folder of the log files. */
  readonly logsDirectory: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
  /** Attributes of custom resources, for environment variables that refer to them. Defaults to none. */
  readonly attributes?: CustomAttributes;
  /** Maximum number of environments that work concurrently, over all functions. Defaults to the number of processors. */
  readonly maxEnvironments?: number | undefined;
  /** How long a request waits for an environment before it is throttled, in milliseconds. Defaults to one second. */
  readonly maxWaitMs?: number | undefined;
  /** Limit of the init phase in milliseconds. Defaults to Lambda's 10 seconds. */
  readonly initLimitMs?: number | undefined;
  /** How far the local time is ahead of the machine's, in milliseconds. Defaults to not at all. */
  readonly aheadMs?: () => number;
  /** Whether environments are frozen between invocations. Defaults to yes where the platform can: not on Windows. */
  readonly freezes?: boolean | undefined;
  /** Where invocations and environments are reported. */
  readonly activity?: ActivitySink;
}

/** One invocation of a function. */
export interface InvokeRequest {
  /** Name or ARN of the function, with or without a qualifier. */
  readonly functionName: string;
  readonly qualifier?: string | undefined;
  readonly payload: Buffer | string;
  /**
   * Whether the invocation takes no slot: another function waits for it, and all slots could wait for each other; or a queue
   * feeds it, and synchronous requests have priority.
   */
  readonly nested?: boolean;
  /** Ends the wait for a slot when aborted. */
  readonly signal?: AbortSignal;
}

interface HostedFunction {
  plan: FunctionPlan;
  readonly log: FunctionLog;
  pools: ReadonlyMap<string, EnvironmentPool>;
  running: number;
}

/** Runs Lambda functions: one process for each execution environment, one invocation at a time in each. */
export class LambdaHost implements AsyncDisposable {
  readonly #functions = new Map<string, HostedFunction>();
  readonly #options: LambdaHostOptions;
  readonly #maxEnvironments: number;
  readonly #slots: Slots;
  readonly #initLimitMs: number;
  readonly #waitLimitMs: number;
  readonly #reaper: NodeJS.Timeout;
  readonly #activity: ActivitySink;
  readonly #freezer: Freezer | undefined;
  /** Logs that are read after {@link LOG_DELAY_MS}. */
  readonly #followed = new Set<FunctionLog>();
  /** Pools of versions that were replaced; an environment of theirs may still work. */
  #retired: EnvironmentPool[] = [];
  /** Number of requests that wait for the init phase of an environment, and when the last one did. */
  #starting = 0;
  #startedMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: LambdaHostOptions) {
    this.#options = options;
    this.#maxEnvironments = options.maxEnvironments ?? availableParallelism();
    this.#slots = new Slots(this.#maxEnvironments);
    this.#initLimitMs = options.initLimitMs ?? INIT_LIMIT_MS;
    this.#waitLimitMs = options.maxWaitMs ?? WAIT_LIMIT_MS;
    this.#activity = options.activity ?? NO_ACTIVITY;
    this.#freezer = (options.freezes ?? Freezer.isSupported) ? new Freezer() : undefined;
    for (const plan of options.functions) this.#functions.set(plan.arn, this.#host(plan));
    this.#reaper = setInterval(() => void this.reapIdle(), 60_000).unref();
  }

  /** Process ids of the living environments. */
  get pids(): number[] {
    return this.#pools().flatMap((pool) => pool.pids);
  }

  /** Starts the environments that provisioned concurrency keeps initialized. */
  async warmUp(): Promise<void> {
    for (const pool of this.#pools()) await pool.warmUp(PROVISIONED_INIT_LIMIT_MS);
  }

  /**
   * Ends on-demand environments that are idle.
   *
   * @param idleMs - Minimum idle time. Defaults to ten minutes.
   */
  async reapIdle(idleMs = IDLE_LIMIT_MS): Promise<void> {
    await Promise.all(this.#pools().map((pool) => pool.reapIdle(idleMs)));
  }

  /**
   * Replaces all functions by other versions of themselves, as a deployment does. Environments that work end after their
   * invocation.
   *
   * @param change - Returns the new plan of a function.
   */
  async deploy(change: (plan: FunctionPlan) => FunctionPlan): Promise<void> {
    for (const hosted of this.#functions.values()) {
      if (this.#stopped) return;
      const plan = change(hosted.plan);
      const replaced = [...hosted.pools.values()];
      hosted.plan = plan;
      hosted.pools = this.#openPools(plan, hosted.log);
      this.#retired = [...this.#retired.filter(({ pids }) => pids.length > 0), ...replaced];
      await Promise.all(replaced.map((pool) => pool.retire()));
    }
    await this.warmUp();
  }

  /** Kills the execution environment with an id, if it runs. */
  kill(environmentId: string): void {
    for (const pool of this.#pools()) void pool.kill(environmentId);
  }

  /** Stops the execution environment with an id. Its invocation times out soon. */
  stall(environmentId: string): void {
    for (const pool of this.#pools()) pool.stall(environmentId);
  }

  /** Invokes a function and waits for its result. */
  async invoke(request: InvokeRequest): Promise<InvocationResult> {
    const requestId = randomUUID();
    const ended = (outcome: InvocationOutcome, version = '$LATEST'): InvocationResult => {
      return { outcome, requestId, version, coldStart: false, durationMs: 0 };
    };
    const { arn, qualifier } = splitName(request.functionName, request.qualifier);
    const hosted = this.#functions.get(arn);
    const version = hosted?.plan.qualifiers[qualifier];
    const pool = version === undefined ? undefined : hosted?.pools.get(version);
    if (this.#stopped || hosted === undefined || version === undefined || pool === undefined) {
      return ended({ kind: 'not-found', functionArn: qualifier === '$LATEST' ? arn : `${arn}:${qualifier}` });
    }
    const bytes = Buffer.byteLength(request.payload);
    if (bytes > MAX_REQUEST_BYTES) return ended({ kind: 'too-large', bytes }, version);
    const refusal = await this.#enter(hosted, request);
    if (refusal !== undefined) return ended(refusal, version);
    const invokedArn = qualifier === '$LATEST' ? arn : `${arn}:${qualifier}`;
    try {
      return await this.#run(hosted, pool, { requestId, version, payload: request.payload, functionArn: invokedArn });
    } finally {
      hosted.running -= 1;
      if (request.nested !== true) this.#slots.release();
    }
  }

  /** Ends every environment and refuses further work. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#reaper);
    await Promise.all(this.#pools().map((pool) => pool.stop()));
    await this.#freezer?.[Symbol.asyncDispose]();
    for (const { plan, log } of this.#functions.values()) {
      this.#reportRecords(plan.name, log);
      log.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #host(plan: FunctionPlan): HostedFunction {
    const log = new FunctionLog(this.#options.logsDirectory, plan.logName);
    return { plan, log, pools: this.#openPools(plan, log), running: 0 };
  }

  #openPools(plan: FunctionPlan, log: FunctionLog): ReadonlyMap<string, EnvironmentPool> {
    const { aheadMs = () => 0, endpointUrl, attributes = new CustomAttributes() } = this.#options;
    const settings = { plan, log, aheadMs, endpointUrl, attributes, activity: this.#activity, freezer: this.#freezer };
    const pools = [...new Set(Object.values(plan.qualifiers))].map((version): [string, EnvironmentPool] => {
      const provisioned = Math.min(plan.provisioned[version] ?? 0, this.#maxEnvironments);
      return [version, new EnvironmentPool({ ...settings, version }, provisioned)];
    });
    return new Map(pools);
  }

  async #enter(hosted: HostedFunction, request: InvokeRequest): Promise<InvocationOutcome | undefined> {
    const { reservedConcurrency, timeoutMs } = hosted.plan;
    if (reservedConcurrency !== undefined && hosted.running >= reservedConcurrency) {
      return this.#throttle(hosted.plan, 'ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    hosted.running += 1;
    if (request.nested === true) return undefined;
    const sinceMs = performance.now();
    const refusal = await this.#slots.take({
      limitMs: Math.min(this.#waitLimitMs, timeoutMs),
      // Environments that are being started would not keep AWS from starting more. Timers may fire a millisecond early.
      mayWaitLonger: () => this.#isStarting() && performance.now() - sinceMs + 1 < timeoutMs,
      signal: request.signal,
    });
    if (refusal === undefined) return undefined;
    hosted.running -= 1;
    return this.#throttle(hosted.plan, 'ConcurrentInvocationLimitExceeded');
  }

  #throttle({ name }: FunctionPlan, reason: string): InvocationOutcome {
    this.#activity.publish({ type: 'invocation.throttled', functionName: name, reason });
    return { kind: 'throttled', reason, message: 'Rate Exceeded.' };
  }

  async #run(
    hosted: HostedFunction,
    pool: EnvironmentPool,
    invocation: { requestId: string; version: string; payload: Buffer | string; functionArn: string },
  ): Promise<InvocationResult> {
    const { requestId, version } = invocation;
    const idle = pool.takeIdle();
    const opened = idle ?? (await this.#countStart(() => this.#open(pool, hosted.plan.timeoutMs)));
    const coldStart = idle === undefined;
    const environment = 'invoke' in opened ? opened : undefined;
    if (!this.#stopped) this.#reportStart(hosted, { requestId, version, coldStart });
    const startedMs = performance.now();
    const outcome =
      'invoke' in opened
        ? limitResponse(await opened.invoke(invocation, hosted.plan.timeoutMs))
        : withRequestId(opened, requestId);
    const durationMs = environment === undefined ? 0 : performance.now() - startedMs;
    const result = { outcome, requestId, version, coldStart, durationMs };
    if (this.#stopped) return result;
    this.#reportEnd(hosted, result, environment);
    if (environment === undefined) return result;
    if (outcome.crash === undefined && !environment.hasEnded) pool.release(environment);
    else void pool.discard(environment).then(() => pool.warmUp(PROVISIONED_INIT_LIMIT_MS));
    return result;
  }

  async #countStart<T>(start: () => Promise<T>): Promise<T> {
    this.#starting += 1;
    try {
      return await start();
    } finally {
      this.#starting -= 1;
      this.#startedMs = performance.now();
    }
  }

  /** Whether environments start, or did so within the time that a request waits. */
  #isStarting(): boolean {
    return this.#starting > 0 || performance.now() - this.#startedMs < this.#waitLimitMs;
  }

  #reportStart(
    { plan, log }: HostedFunction,
    { requestId, version, coldStart }: Pick<InvocationResult, 'requestId' | 'version' | 'coldStart'>,
  ): void {
    log.start(requestId, version);
    const functionName = plan.name;
    this.#activity.publish({ type: 'invocation.started', functionName, requestId, isColdStart: coldStart });
  }

  /** @param environment - Undefined if none could be started. */
  #reportEnd(
    { plan, log }: HostedFunction,
    { requestId, coldStart, durationMs, outcome }: InvocationResult & { readonly outcome: EnvironmentOutcome },
    environment: ExecutionEnvironment | undefined,
  ): void {
    log.report({
      requestId,
      durationMs,
      memoryMiB: plan.memoryMiB,
      peakMemoryBytes: environment?.peakMemoryBytes ?? 0,
      initMs: coldStart ? environment?.initMs : undefined,
      status: environment === undefined ? 'error' : outcome.crash,
    });
    const functionName = plan.name;
    this.#activity.publish({
      type: 'invocation.completed',
      functionName,
      requestId,
      durationMs,
      outcome: resultOf(outcome),
    });
    this.#followLog(plan, log);
  }

  /** Reports what the function logged: soon, and for several invocations together, so that it costs them little time. */
  #followLog({ name }: FunctionPlan, log: FunctionLog): void {
    if (!this.#activity.isFollowed || this.#followed.has(log)) return;
    this.#followed.add(log);
    setTimeout(() => this.#reportRecords(name, log), LOG_DELAY_MS).unref();
  }

  #reportRecords(functionName: string, log: FunctionLog): void {
    if (!this.#followed.delete(log)) return;
    for (const record of log.takeRecords()) this.#activity.publish({ type: 'record.logged', functionName, record });
  }

  /** Starts an environment; an init phase that takes too long is started again within the function's own timeout. */
  async #open(pool: EnvironmentPool, timeoutMs: number): Promise<ExecutionEnvironment | EnvironmentOutcome> {
    for (const limitMs of [this.#initLimitMs, timeoutMs]) {
      const environment = await pool.start('on-demand');
      const outcome = await environment.initialize(limitMs);
      if (outcome.kind === 'ready') return environment;
      await pool.discard(environment);
      if (outcome.kind !== 'timeout') return outcome;
    }
    const errorMessage = `RequestId: init Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
    return failed({ errorType: 'Sandbox.Timedout', errorMessage }, 'timeout');
  }

  #pools(): EnvironmentPool[] {
    return [...[...this.#functions.values()].flatMap(({ pools }) => [...pools.values()]), ...this.#retired];
  }
}

function splitName(nameOrArn: string, qualifier: string | undefined): { arn: string; qualifier: string } {
  const parts = nameOrArn.split(':');
  const own = nameOrArn.startsWith('arn:') ? parts[7] : parts[1];
  return { arn: functionArn(nameOrArn), qualifier: qualifier ?? own ?? '$LATEST' };
}

function limitResponse(outcome: EnvironmentOutcome): EnvironmentOutcome {
  if (outcome.payload.length <= MAX_RESPONSE_BYTES) return outcome;
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`;
  return failed({ errorType: 'Function.ResponseSizeTooLarge', errorMessage });
}

/** An environment that failed before it had an invocation could not name its request. */
function withRequestId(outcome: EnvironmentOutcome, requestId: string): EnvironmentOutcome {
  const error = errorOf(outcome.payload);
  if (!error.errorMessage.startsWith('RequestId: init ')) return outcome;
  return failed({ ...error, errorMessage: error.errorMessage.replace('RequestId: init ', `RequestId: ${requestId} `) });
}

function resultOf({ kind, crash }: EnvironmentOutcome): InvocationCompleted['outcome'] {
  if (crash !== undefined) return crash === 'timeout' ? 'timeout' : 'crashed';
  return kind === 'responded' ? 'succeeded' : 'failed';
}
