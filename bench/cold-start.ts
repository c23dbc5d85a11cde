import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FunctionLog } from '../local/services/lambda/function-log.ts';
import type { FunctionPlan } from '../local/template/plan-functions.ts';
import { startEnvironment } from './environment.ts';
import { postEvent } from './gateway-event.ts';
import { findModelFiles } from './model-files.ts';
import { measureMemory } from './process-memory.ts';
import { MODEL_ID, REPOSITORY, WORK_DIRECTORY } from './repository.ts';
import { interleave, median, type Summary, summarize } from './statistics.ts';

/** Durations of a cold start of one variant. */
export interface ColdStartResult {
  readonly variant: 'package' | 'naive';
  /** From spawning the process to the first answer, in milliseconds. */
  readonly totalMs: Summary;
  /** Of that, the init phase: until the runtime asks for the first request. */
  readonly initMs: Summary;
  /** Resident memory right after the first answer, in MiB; absent if the system does not report it. */
  readonly rssMiB?: Summary;
}

/** Phases of a cold start of the function's package, in their order. */
export const COLD_PHASES = [
  'boot',
  'bundle',
  'native',
  'tokenizer',
  'runtime',
  'session',
  'warmUp',
  'request',
] as const;

/** Milliseconds of each phase, medians of traced starts; tracing itself adds about a millisecond. */
export type ColdPhases = Readonly<Record<(typeof COLD_PHASES)[number], number>>;

/** All about cold starts. */
export interface ColdStartReport {
  readonly starts: readonly ColdStartResult[];
  readonly phasesMs: ColdPhases;
}

const INIT_LIMIT_MS = 10_000;
const TRACED_STARTS = 5;

/**
 * Starts the function's package and a naive function in turns, each time in a new process under AWS's own runtime
 * client.
 *
 * @param plan - The function in the synthesized app.
 * @param starts - How often each is started.
 */
export async function measureColdStarts(plan: FunctionPlan, starts: number): Promise<ColdStartReport> {
  const log = new FunctionLog(WORK_DIRECTORY, 'cold-start');
  const variants = [
    { variant: 'package', plan },
    { variant: 'naive', plan: naivePlan(plan) },
  ] as const;
  try {
    // The first start reads files that all later ones find in memory.
    for (const one of variants) await startOnce(one.plan, log);
    const measured = await interleave(variants, starts, (one) => startOnce(one.plan, log));
    return {
      starts: variants.map(({ variant }, index) => describeStarts(variant, measured[index] ?? [])),
      phasesMs: await tracePhases(plan, log),
    };
  } finally {
    log.close();
  }
}

interface ColdStart {
  readonly totalMs: number;
  readonly initMs: number;
  readonly rssMiB: number | undefined;
}

async function startOnce(plan: FunctionPlan, log: FunctionLog): Promise<ColdStart> {
  const startedMs = performance.now();
  const environment = await startEnvironment(plan, log);
  try {
    const { kind } = await environment.initialize(INIT_LIMIT_MS);
    const outcome = kind === 'ready' ? await environment.invoke(firstRequest(plan), plan.timeoutMs) : { kind };
    const totalMs = performance.now() - startedMs;
    if (outcome.kind !== 'responded') throw new Error(`a cold start came to ${outcome.kind}; see ${log.file}`);
    const memory = environment.pid === undefined ? undefined : measureMemory(environment.pid);
    return { totalMs, initMs: environment.initMs, rssMiB: memory?.rssMiB };
  } finally {
    await environment.stop();
  }
}

function firstRequest({ arn }: FunctionPlan) {
  const body = JSON.stringify({ model: MODEL_ID, input: 'What is the capital of France?', encoding_format: 'base64' });
  return {
    requestId: randomUUID(),
    payload: JSON.stringify(postEvent('/v1/embeddings', body)),
    functionArn: arn,
  };
}

function describeStarts(variant: ColdStartResult['variant'], starts: readonly ColdStart[]): ColdStartResult {
  const resident = starts.flatMap(({ rssMiB }) => rssMiB ?? []);
  return {
    variant,
    totalMs: summarize(starts.map(({ totalMs }) => totalMs)),
    initMs: summarize(starts.map(({ initMs }) => initMs)),
    ...(resident.length === 0 ? {} : { rssMiB: summarize(resident) }),
  };
}

/** The same model as people first serve it: modules from node_modules, the weights as ONNX, clients created at the start. */
function naivePlan(plan: FunctionPlan): FunctionPlan {
  const { weights, tokenizer } = findModelFiles();
  return {
    ...plan,
    handler: 'index.handler',
    taskRoot: join(REPOSITORY, 'bench/naive-function'),
    environment: { ORT_DISABLE_TELEMETRY: '1', BENCH_MODEL: weights, BENCH_TOKENIZER: tokenizer },
  };
}

async function tracePhases(plan: FunctionPlan, log: FunctionLog): Promise<ColdPhases> {
  const traced: ColdPhases[] = [];
  for (let start = 0; start < TRACED_STARTS; start++) traced.push(await traceOnce(plan, log));
  return Object.fromEntries(
    COLD_PHASES.map((phase) => [phase, median(traced.map((phases) => phases[phase]))]),
  ) as ColdPhases;
}

async function traceOnce(plan: FunctionPlan, log: FunctionLog): Promise<ColdPhases> {
  const file = join(WORK_DIRECTORY, 'cold-trace.jsonl');
  mkdirSync(WORK_DIRECTORY, { recursive: true });
  rmSync(file, { force: true });
  const trace = pathToFileURL(join(import.meta.dirname, 'cold-trace.mjs')).href;
  const environment = { ...plan.environment, BENCH_TRACE: file, NODE_OPTIONS: `--import ${trace}` };
  const spawnedMs = performance.timeOrigin + performance.now();
  const { initMs, totalMs } = await startOnce({ ...plan, environment }, log);
  if (!existsSync(file)) throw new Error('the traced function left no trace');
  const at = readMarks(file);
  const native = at('dlopen:end') - at('dlopen:begin');
  return {
    boot: at('loaded') - spawnedMs,
    bundle: at('model.json') - at('loaded') - native,
    native,
    tokenizer: at('initOrt:begin') - at('model.json'),
    runtime: at('initOrt:end') - at('initOrt:begin'),
    session: at('loadModel:end') - at('initOrt:end'),
    warmUp: spawnedMs + initMs - at('loadModel:end'),
    request: totalMs - initMs,
  };
}

/** Reads when each mark was first set. */
function readMarks(file: string): (name: string) => number {
  const marks = new Map<string, number>();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { name, atMs } = JSON.parse(line) as { readonly name: string; readonly atMs: number };
    if (!marks.has(name)) marks.set(name, atMs);
  }
  return (name) => {
    const atMs = marks.get(name);
    if (atMs === undefined) throw new Error(`the traced function never came to ${name}`);
    return atMs;
  };
}
