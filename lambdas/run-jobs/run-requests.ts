import { type Body, type Encoded, jsonEncoded, readJsonBody } from '../../core/api/body.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import type { CachePolicy } from '../../core/results/cache-policy.ts';
import { chooseVersion } from '../shared/inference/choose-version.ts';
import { embedRows } from '../shared/inference/embed-rows.ts';
import type { Call, InferenceDeps } from '../shared/inference/inference.ts';
import { type InferenceOperation, prepare } from '../shared/inference/prepare.ts';
import { type PreparedRequest, type PreparedTexts, runPrepared } from '../shared/inference/prepared-request.ts';
import { type RequestMeasures, startMeasures } from '../shared/telemetry/request-measures.ts';

/** A request to the model, whoever asks. */
export interface ModelRequest {
  readonly operation: InferenceOperation;
  readonly body: Body;
  /** Version that must answer; else one by the traffic split. */
  readonly version?: string;
  /** What sticks to a version of the split: the owner, as for synchronous requests. */
  readonly owner: string;
}

/** What came of a {@link ModelRequest}. */
export type Answer =
  | {
      readonly kind: 'answered';
      /** Body of the synchronous response. */
      readonly body: Encoded;
      readonly version: string;
      readonly items: number;
    }
  | { readonly kind: 'failed'; readonly error: AppError; readonly version?: string; readonly items?: number };

/** What requests that ran together did. */
export interface RunMeasures {
  items: number;
  tokens: number;
  modelMs: number;
  cacheHits: number;
  cacheMisses: number;
}

/** Measures of what has not run yet. */
export function noMeasures(): RunMeasures {
  return { items: 0, tokens: 0, modelMs: 0, cacheHits: 0, cacheMisses: 0 };
}

/**
 * Tokens of the texts that go through the results cache at once. What was computed is kept after each such slice, so
 * that work which runs out of time goes on from there the next time.
 */
const SLICE_TOKENS = 16_384;

/** How requests are run. */
export interface RunOptions {
  /** When the model must stop, on the timer of the inference. */
  readonly deadlineMs: number;
  /** Filled in. */
  readonly measures: RunMeasures;
  /** What the results cache may do. Defaults to everything. */
  readonly policy?: CachePolicy;
}

/** A request that can run. */
interface Ready {
  readonly index: number;
  readonly call: Call;
  readonly prepared: PreparedRequest;
}

/**
 * Runs requests together: the texts of all of them are sorted by length and cut into the micro-batches that cost least,
 * whichever request they belong to, then each request gets its own back.
 *
 * A request that fails does so alone: where texts that run together fail, the requests are run again one by one.
 *
 * @returns One answer for each request.
 */
export async function runRequests(
  requests: readonly ModelRequest[],
  deps: InferenceDeps,
  run: RunOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const ready: Ready[] = [];
  for (const [index, request] of requests.entries()) {
    try {
      const call = await openCall(request, run, deps);
      ready.push({ index, call, prepared: await prepare(request.operation, readJsonBody(request.body), call, deps) });
    } catch (error) {
      answers[index] = { kind: 'failed', error: toAppError(error) };
    }
  }
  const texts = ready.filter(isTexts);
  for (const group of Map.groupBy(texts, ({ call }) => call.version.name).values()) {
    for (const [index, answer] of await runTexts(group, deps)) answers[index] = answer;
  }
  for (const one of ready.filter(({ prepared }) => prepared.kind === 'tensors')) {
    answers[one.index] = await runAlone(one, deps);
  }
  for (const { call } of ready) addMeasures(run.measures, call.measures);
  return answers;
}

async function openCall(
  request: ModelRequest,
  { deadlineMs, policy = { read: true, write: true } }: RunOptions,
  deps: InferenceDeps,
): Promise<Call> {
  const { versions, timer } = deps;
  const name = chooseVersion(request.owner, request.version, deps);
  return { version: await versions.open(name), policy, measures: startMeasures(timer(), deadlineMs) };
}

type ReadyTexts = Ready & { readonly prepared: PreparedTexts };

function isTexts(ready: Ready): ready is ReadyTexts {
  return ready.prepared.kind === 'texts';
}

async function runTexts(group: readonly ReadyTexts[], deps: InferenceDeps): Promise<Map<number, Answer>> {
  const [first] = group;
  if (first === undefined) return new Map();
  const answers = new Map<number, Answer>();
  try {
    const rows = group.flatMap(({ prepared }) => prepared.rows);
    const vectors = await embedSliced(rows, first.call, deps);
    let from = 0;
    for (const one of group) {
      const own = vectors.slice(from, from + one.prepared.rows.length);
      from += own.length;
      answers.set(one.index, await answerOf(one, () => one.prepared.encode(own)));
    }
  } catch (error) {
    // Time runs out for all of them, and alone they would only do so later.
    const isOver = error instanceof AppError && error.code === 'TIMEOUT';
    for (const one of group) {
      answers.set(one.index, isOver || group.length === 1 ? failed(one, error) : await runAlone(one, deps));
    }
  }
  return answers;
}

/** Embeds rows of any number: the shortest first, some at a time. */
async function embedSliced(
  rows: readonly (readonly number[])[],
  call: Call,
  deps: InferenceDeps,
): Promise<readonly Float32Array[]> {
  const lengthOf = (row: number): number => rows[row]?.length ?? 0;
  const order = rows.map((_, row) => row).sort((a, b) => lengthOf(a) - lengthOf(b));
  const vectors: Float32Array[] = new Array(rows.length);
  for (let from = 0; from < order.length; ) {
    let [end, tokens] = [from, 0];
    while (end < order.length && (end === from || tokens + lengthOf(order[end] ?? 0) <= SLICE_TOKENS)) {
      tokens += lengthOf(order[end] ?? 0);
      end += 1;
    }
    const slice = order.slice(from, end);
    const found = await embedRows(
      slice.map((row) => rows[row] ?? []),
      call,
      deps,
    );
    for (const [at, row] of slice.entries()) vectors[row] = found[at] ?? new Float32Array();
    from = end;
  }
  return vectors;
}

function runAlone(one: Ready, deps: InferenceDeps): Promise<Answer> {
  return answerOf(one, async () => {
    if (one.prepared.kind === 'tensors') return runPrepared(one.prepared, one.call, deps);
    return one.prepared.encode(await embedSliced(one.prepared.rows, one.call, deps));
  });
}

async function answerOf(one: Ready, encode: () => string | Promise<string>): Promise<Answer> {
  try {
    return { kind: 'answered', body: jsonEncoded(await encode()), ...factsOf(one) };
  } catch (error) {
    return failed(one, error);
  }
}

function failed(one: Ready, error: unknown): Answer {
  return { kind: 'failed', error: toAppError(error), ...factsOf(one) };
}

function factsOf({ call, prepared }: Ready) {
  return { version: call.version.name, items: prepared.kind === 'texts' ? prepared.rows.length : 1 };
}

function addMeasures(total: RunMeasures, { items, tokens, modelMs, memoryHits, tableHits, misses }: RequestMeasures) {
  total.items += items;
  total.tokens += tokens;
  total.modelMs += modelMs;
  total.cacheHits += memoryHits + tableHits;
  total.cacheMisses += misses;
}
