import { openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import type { InferenceSession } from 'onnxruntime-node';
import { openDeps } from '../lambdas/serve-model/deps.ts';
import { createHandler, type ServeModelDeps } from '../lambdas/serve-model/handler.ts';
import type { HttpHandler } from '../lambdas/shared/http/http-handler.ts';
import { invocationContext, postEvent } from './gateway-event.ts';
import { type HandlerStep, measureSteps } from './handler-steps.ts';
import { MODEL_ID } from './repository.ts';
import { RunProbe, type SessionRun } from './run-probe.ts';
import { median, type Summary, summarize } from './statistics.ts';
import { makeTexts } from './texts.ts';

/** How much to measure. */
export interface OverheadOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly rounds: number;
  readonly quick: boolean;
}

/** The overhead of the handler for one kind of request. Durations are in microseconds. */
export interface OverheadResult {
  readonly items: number;
  readonly encodingFormat: 'float' | 'base64';
  readonly tokens: number;
  /** Calls of `session.run` that the handler splits the request into. */
  readonly runs: number;
  /** The same calls of `session.run` with nothing around them. */
  readonly rawUs: Summary;
  /** The whole handler: event in, answer out. */
  readonly handlerUs: Summary;
  /** The handler less the time within its own calls of `session.run`, call by call. */
  readonly overheadUs: Summary;
  /** The handler with recorded answers instead of the model: its own work while the processor's caches are warm. */
  readonly stubbedUs: Summary;
  /** Durations of single steps that are called alone. */
  readonly stepsUs: Readonly<Record<HandlerStep, number>>;
}

/** Calls a round, by number of inputs: enough for a steady median, few enough to end soon. */
const CALLS: Readonly<Record<number, number>> = { 1: 200, 8: 40, 32: 12 };

/** Without the model a call takes next to no time. */
const STUBBED_CALLS = 300;

/** Value of `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` for one whole vCPU, and therefore one thread. */
const MEMORY_MIB = 1769;

/** Measures what the handler adds to raw `session.run`: same session, same token ids, results cache off. */
export async function measureOverhead(options: OverheadOptions): Promise<readonly OverheadResult[]> {
  const deps = await openBenchDeps(options.modelFolder);
  const handler = createHandler(deps);
  const probe = new RunProbe();
  probe.start();
  try {
    const results: OverheadResult[] = [];
    for (const items of [1, 8, 32]) {
      for (const encodingFormat of ['base64', 'float'] as const) {
        const request = { texts: makeTexts(items), encodingFormat };
        results.push(await measureRequest(request, { ...options, deps, handler, probe }));
      }
    }
    return results;
  } finally {
    probe.stop();
  }
}

interface Request {
  readonly texts: readonly string[];
  readonly encodingFormat: 'float' | 'base64';
}

interface Bench extends OverheadOptions {
  readonly deps: ServeModelDeps;
  readonly handler: HttpHandler;
  readonly probe: RunProbe;
}

async function measureRequest({ texts, encodingFormat }: Request, bench: Bench): Promise<OverheadResult> {
  const { deps, rounds, quick } = bench;
  const input = texts.length === 1 ? texts[0] : texts;
  const body = JSON.stringify({ model: MODEL_ID, input, encoding_format: encodingFormat });
  const calls = Math.ceil((CALLS[texts.length] ?? 10) / (quick ? 4 : 1));
  let last = await timeCalls(body, calls, bench);
  const measured = { raw: [] as number[], handler: [] as number[], overhead: [] as number[] };
  const stubbed: number[] = [];
  for (let round = 0; round < rounds; round++) {
    last = await timeCalls(body, calls, bench);
    stubbed.push(median(await timeStubbed(body, STUBBED_CALLS, last.runs, bench)) * 1000);
    for (const name of ['raw', 'handler', 'overhead'] as const) measured[name].push(median(last[name]) * 1000);
  }
  const stepsUs = await measureSteps({ body, texts, encodingFormat, runs: last.runs, deps, quick });
  return {
    items: texts.length,
    encodingFormat,
    tokens: countTokens(texts, deps),
    runs: last.runs.length,
    rawUs: summarize(measured.raw),
    handlerUs: summarize(measured.handler),
    overheadUs: summarize(measured.overhead),
    stubbedUs: summarize(stubbed),
    stepsUs,
  };
}

interface TimedCalls {
  /** Milliseconds of each call. */
  readonly raw: readonly number[];
  readonly handler: readonly number[];
  readonly overhead: readonly number[];
  /** Calls of `session.run` of the last request. */
  readonly runs: readonly SessionRun[];
}

/** Calls handler and model in turns, so that both see the same machine. */
async function timeCalls(body: string, calls: number, { handler, probe }: Bench): Promise<TimedCalls> {
  const timed = { raw: [] as number[], handler: [] as number[], overhead: [] as number[] };
  let runs: readonly SessionRun[] = [];
  for (let call = 0; call < calls; call++) {
    const event = postEvent('/v1/embeddings', body, { 'Cache-Control': 'no-store' });
    const startedMs = performance.now();
    const { statusCode } = await handler(event, invocationContext());
    const handlerMs = performance.now() - startedMs;
    runs = probe.take();
    if (statusCode !== 200) throw new Error(`the handler answered ${statusCode}, 200 was expected`);
    timed.handler.push(handlerMs);
    timed.overhead.push(runs.reduce((rest, { durationMs }) => rest - durationMs, handlerMs));
    timed.raw.push(await timeRaw(runs));
    probe.take();
  }
  return { ...timed, runs };
}

async function timeStubbed(body: string, calls: number, runs: readonly SessionRun[], { handler, probe }: Bench) {
  const durations: number[] = [];
  for (let call = 0; call < calls; call++) {
    const event = postEvent('/v1/embeddings', body, { 'Cache-Control': 'no-store' });
    probe.replay(runs);
    const startedMs = performance.now();
    await handler(event, invocationContext());
    durations.push(performance.now() - startedMs);
  }
  return durations;
}

async function timeRaw(runs: readonly { session: InferenceSession; feeds: InferenceSession.FeedsType }[]) {
  const startedMs = performance.now();
  for (const { session, feeds } of runs) await session.run(feeds);
  return performance.now() - startedMs;
}

function countTokens(texts: readonly string[], { ports: { tokenizer } }: ServeModelDeps): number {
  return texts.reduce((sum, text) => sum + (tokenizer?.encode(text).length ?? 0), 0);
}

/** All that the function opens, with its log going nowhere. */
async function openBenchDeps(modelFolder: string): Promise<ServeModelDeps> {
  const nowhere = openSync(devNull, 'w');
  const deps = await openDeps({
    modelFolder,
    environment: { siblings: [], metricsNamespace: 'Bench', metrics: 'basic' as const, stage: 'bench' },
    variables: {},
    memoryMiB: MEMORY_MIB,
  });
  return { ...deps, write: (line) => writeSync(nowhere, `${line}\n`) };
}
