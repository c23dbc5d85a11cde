import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { functionArn } from '../../template/physical-names.ts';
import type { FunctionPlan } from '../../template/plan-functions.ts';
import { EnvironmentPool } from './environment-pool.ts';
import type { ExecutionEnvironment } from './execution-environment.ts';
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

/** How long Lambda lets the init phase take before it starts it again within the function's own timeout. */
const INIT_LIMIT_MS = 10_000;

/** Provisioned environments may take longer, up to 15 minutes. */
const PROVISIONED_INIT_LIMIT_MS = 900_000;

/** An idle environment lives on for some minutes on AWS. */
const IDLE_LIMIT_MS = 600_000;

/** How the host is to work. */
export interface LambdaHostOptions {
  readonly functions: readonly FunctionPlan[];
  /** Folder of the log files. */
  readonly logsDirectory: string;
  /** URL that stands for every AWS endpoint. */
  readonly endpointUrl: string;
  /** Most environments that work at once, over all functions. Defaults to the number of processors. */
  readonly maxEnvironments?: number | undefined;
  /** Limit of the init phase in milliseconds. Defaults to Lambda's 10 seconds. */
  readonly initLimitMs?: number | undefined;
  /** How far the local time is ahead of the machine's, in milliseconds. Defaults to not at all. */
  readonly aheadMs?: () => number;
}

/** One invocation of a function. */
export interface InvokeRequest {
  /** Name or ARN of the function, with or without a qualifier. */
  readonly functionName: string;
  readonly qualifier?: string | undefined;
  readonly payload: Buffer | string;
  /**
   * Whether it takes no slot: a function waits for it, and all slots could wait for each other; or a queue feeds it, and
   * those who wait for an answer come first.
   */
  readonly nested?: boolean;
  /** Gives up when aborted, as long as the invocation waits for a slot. */
  readonly signal?: AbortSignal;
}

interface HostedFunction {
  readonly plan: FunctionPlan;
  readonly log: FunctionLog;
  readonly pools: ReadonlyMap<string, EnvironmentPool>;
  running: number;
}

/** Runs Lambda functions: one process for each execution environment, one invocation at a time in each. */
export class LambdaHost {
  readonly #functions = new Map<string, HostedFunction>();
  readonly #slots: Slots;
  readonly #initLimitMs: number;
  readonly #reaper: NodeJS.Timeout;
  #stopped = false;

  constructor(options: LambdaHostOptions) {
    const maxEnvironments = options.maxEnvironments ?? availableParallelism();
    const { aheadMs = () => 0 } = options;
    this.#slots = new Slots(maxEnvironments);
    this.#initLimitMs = options.initLimitMs ?? INIT_LIMIT_MS;
    for (const plan of options.functions) {
      const log = new FunctionLog(options.logsDirectory, plan.name);
      const pools = new Map<string, EnvironmentPool>();
      for (const version of new Set(Object.values(plan.qualifiers))) {
        const warm = Math.min(plan.provisioned[version] ?? 0, maxEnvironments);
        pools.set(
          version,
          new EnvironmentPool({ plan, version, log, aheadMs, endpointUrl: options.endpointUrl }, warm),
        );
      }
      this.#functions.set(plan.arn, { plan, log, pools, running: 0 });
    }
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
   * Ends environments that were started on demand and have been idle since.
   *
   * @param idleMs - For how long. Defaults to ten minutes.
   */
  async reapIdle(idleMs = IDLE_LIMIT_MS): Promise<void> {
    await Promise.all(this.#pools().map((pool) => pool.reapIdle(idleMs)));
  }

  /** Invokes a function and waits for its answer. */
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
    for (const { log } of this.#functions.values()) log.close();
  }

  async #enter(hosted: HostedFunction, request: InvokeRequest): Promise<InvocationOutcome | undefined> {
    const { reservedConcurrency, timeoutMs } = hosted.plan;
    if (reservedConcurrency !== undefined && hosted.running >= reservedConcurrency) {
      return throttled('ReservedFunctionConcurrentInvocationLimitExceeded');
    }
    hosted.running += 1;
    if (request.nested === true) return undefined;
    const refusal = await this.#slots.take(timeoutMs, request.signal);
    if (refusal === undefined) return undefined;
    hosted.running -= 1;
    return throttled('ConcurrentInvocationLimitExceeded');
  }

  async #run(
    hosted: HostedFunction,
    pool: EnvironmentPool,
    invocation: { requestId: string; version: string; payload: Buffer | string; functionArn: string },
  ): Promise<InvocationResult> {
    const { plan, log } = hosted;
    const idle = pool.takeIdle();
    const opened = idle ?? (await this.#open(pool, plan.timeoutMs));
    const coldStart = idle === undefined;
    const result = { requestId: invocation.requestId, version: invocation.version, coldStart };
    log.start(invocation.requestId, invocation.version);
    if (!('invoke' in opened)) {
      log.report({
        ...reportOf(plan, invocation.requestId, 0),
        peakMemoryBytes: 0,
        initMs: undefined,
        status: 'error',
      });
      return { ...result, outcome: withRequestId(opened, invocation.requestId), durationMs: 0 };
    }
    const startedMs = performance.now();
    const outcome = limitAnswer(await opened.invoke(invocation, plan.timeoutMs));
    const durationMs = performance.now() - startedMs;
    const { crash } = outcome;
    if (this.#stopped) return { ...result, outcome, durationMs };
    log.report({
      ...reportOf(plan, invocation.requestId, durationMs),
      peakMemoryBytes: opened.peakMemoryBytes,
      initMs: coldStart ? opened.initMs : undefined,
      status: crash,
    });
    if (crash === undefined && !opened.hasEnded) pool.giveBack(opened);
    else void pool.discard(opened).then(() => pool.warmUp(PROVISIONED_INIT_LIMIT_MS));
    return { ...result, outcome, durationMs };
  }

  /** Starts an environment; an init phase that takes too long is begun again within the function's own timeout. */
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
    return [...this.#functions.values()].flatMap(({ pools }) => [...pools.values()]);
  }
}

function splitName(nameOrArn: string, qualifier: string | undefined): { arn: string; qualifier: string } {
  const parts = nameOrArn.split(':');
  const own = nameOrArn.startsWith('arn:') ? parts[7] : parts[1];
  return { arn: functionArn(nameOrArn), qualifier: qualifier ?? own ?? '$LATEST' };
}

function throttled(reason: string): InvocationOutcome {
  return { kind: 'throttled', reason, message: 'Rate Exceeded.' };
}

function limitAnswer(outcome: EnvironmentOutcome): EnvironmentOutcome {
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

function reportOf(plan: FunctionPlan, requestId: string, durationMs: number) {
  return { requestId, durationMs, memoryMiB: plan.memoryMiB };
}
