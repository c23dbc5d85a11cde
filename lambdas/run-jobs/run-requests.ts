import type { Body, Encoded } from '../../core/api/body.ts';
import { at } from '../../core/at.ts';
import { type AppError, type ErrorCode, toAppError } from '../../core/errors.ts';
import { type CacheControl, type CachePolicy, cachePolicyOf } from '../../core/results/cache-policy.ts';
import { type CacheScope, cacheKeyPrefix } from '../../core/results/cache-scope.ts';
import type { Codec } from '../../core/tasks/contract/task.ts';
import { chooseVersion } from '../shared/inference/choose-version.ts';
import { codecOf } from '../shared/inference/codec-of.ts';
import { type Call, contextOf, type InferenceDeps } from '../shared/inference/inference.ts';
import { runInSlices } from '../shared/inference/run-in-slices.ts';
import { prepareItems } from '../shared/inference/run-items.ts';
import { type RequestMeasures, startMeasures } from '../shared/telemetry/request-measures.ts';

/** A request to the model, of a job or of a line of a batch. */
export interface ModelRequest {
  /** Operation of the route that the request would go to. */
  readonly operation: string;
  readonly body: Body;
  /** Version that must compute; by default one by the traffic split. */
  readonly version?: string;
  /** Key of the sticky traffic split: the owner, as for synchronous requests. */
  readonly owner: string;
  /** Usage plan of the caller. */
  readonly plan?: string | undefined;
  /** The requested use of the results cache. */
  readonly cacheControl?: CacheControl | undefined;
}

/** The outcome of a {@link ModelRequest}. */
export type Answer =
  | {
      readonly kind: 'answered';
      /** Body of the synchronous response. */
      readonly body: Encoded;
      readonly version: string;
      readonly items: number;
    }
  | { readonly kind: 'failed'; readonly error: AppError; readonly version?: string; readonly items?: number };

/** Measures of requests that ran together. */
export interface RunMeasures {
  items: number;
  tokens: number;
  modelMs: number;
  cacheHits: number;
  cacheMisses: number;
}

/** Measures of requests that have not run yet. */
export function noMeasures(): RunMeasures {
  return { items: 0, tokens: 0, modelMs: 0, cacheHits: 0, cacheMisses: 0 };
}

/** Errors of an endpoint, or of the time: requests that meet them together would meet them alone as well. */
const SHARED_ERRORS: ReadonlySet<ErrorCode> = new Set(['TIMEOUT', 'UNAVAILABLE', 'BAD_GATEWAY']);

/** How requests are run. */
export interface RunOptions {
  /** When the model must stop, on the timer of the inference. */
  readonly deadlineMs: number;
  /** Filled in. */
  readonly measures: RunMeasures;
  /** Policy of the results cache, unless a request restricts it further. By default, it may read and write. */
  readonly policy?: CachePolicy;
}

/** Dependencies of {@link runRequests}. */
export interface RunRequestsDeps extends InferenceDeps {
  /** Callers who share cached results; by default, those of one tenant. */
  readonly cacheScope?: CacheScope | undefined;
}

/** A request that can run. */
interface Ready {
  readonly index: number;
  readonly call: Call;
  readonly codec: Codec;
  /** As the codec read it. */
  readonly request: unknown;
  /** Features of its items. */
  readonly features: readonly unknown[];
}

/**
 * Runs requests together: the items of all of them are cut into the micro-batches that cost least, whichever request they
 * belong to, then each request gets its own results.
 *
 * A request that fails does so alone: if a run of several fails for a reason that one of them can cause, the requests are
 * run again one by one.
 *
 * @returns One result for each request.
 */
export async function runRequests(
  requests: readonly ModelRequest[],
  deps: RunRequestsDeps,
  run: RunOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const ready: Ready[] = [];
  for (const [index, request] of requests.entries()) {
    try {
      ready.push(await prepare(index, request, run, deps));
    } catch (error) {
      answers[index] = { kind: 'failed', error: toAppError(error) };
    }
  }
  const [mergeable, others] = [ready.filter((one) => merges(one, deps)), ready.filter((one) => !merges(one, deps))];
  for (const group of Map.groupBy(mergeable, ({ call }) => togetherKey(call)).values()) {
    for (const [index, answer] of await runTogether(group, deps)) answers[index] = answer;
  }
  for (const one of others) answers[one.index] = await runAlone(one, deps);
  for (const { call } of ready) addMeasures(run.measures, call.measures);
  return answers;
}

/** Requests that run together have one version, and one policy of the results cache; each keeps its own scope in it. */
function togetherKey({ version, policy }: Call): string {
  return `${version.name}/${policy.read}/${policy.write}`;
}

async function prepare(index: number, request: ModelRequest, run: RunOptions, deps: RunRequestsDeps): Promise<Ready> {
  const codec = await codecOf(request.operation, deps);
  const call = await openCall(request, run, deps);
  const decoded = await codec.decode(request.body, contextOf(call.version, deps));
  return { index, call, codec, request: decoded, features: await prepareItems(decoded, call, deps) };
}

async function openCall(
  request: ModelRequest,
  { deadlineMs, policy = { read: true, write: true } }: RunOptions,
  deps: RunRequestsDeps,
): Promise<Call> {
  const { versions, timer, cacheScope } = deps;
  const name = chooseVersion(request.owner, request.version, deps);
  const own = cachePolicyOf(request.cacheControl);
  return {
    version: await versions.open(name),
    policy: { read: policy.read && own.read, write: policy.write && own.write },
    cachePrefix: cacheKeyPrefix(cacheScope, { tenant: request.owner, plan: request.plan }),
    deadlineMs,
    measures: startMeasures(timer()),
  };
}

/** Items that may share no run gain nothing from running with others. */
function merges({ features, call }: Ready, deps: InferenceDeps): boolean {
  const context = contextOf(call.version, deps);
  return features.every((item) => deps.task.runKey(item, context) !== undefined);
}

async function runTogether(group: readonly Ready[], deps: InferenceDeps): Promise<Map<number, Answer>> {
  const answers = new Map<number, Answer>();
  try {
    const items = group.flatMap(({ features }) => features);
    const prefixes = group.flatMap(({ features, call }) => features.map(() => call.cachePrefix));
    const results = await runInSlices(items, at(group, 0).call, deps, undefined, prefixes);
    let from = 0;
    for (const one of group) {
      const own = results.slice(from, from + one.features.length);
      from += own.length;
      answers.set(one.index, await answerOf(one, async () => own, deps));
    }
  } catch (error) {
    const isShared = SHARED_ERRORS.has(toAppError(error).code);
    for (const one of group) {
      answers.set(one.index, isShared || group.length === 1 ? failed(one, error) : await runAlone(one, deps));
    }
  }
  return answers;
}

function runAlone(one: Ready, deps: InferenceDeps): Promise<Answer> {
  return answerOf(one, () => runInSlices(one.features, one.call, deps), deps);
}

async function answerOf(one: Ready, compute: () => Promise<readonly unknown[]>, deps: InferenceDeps): Promise<Answer> {
  const { codec, call, request, features } = one;
  try {
    const body = await codec.encode(await compute(), { request, features }, contextOf(call.version, deps));
    return { kind: 'answered', body, ...factsOf(one) };
  } catch (error) {
    return failed(one, error);
  }
}

function failed(one: Ready, error: unknown): Answer {
  return { kind: 'failed', error: toAppError(error), ...factsOf(one) };
}

function factsOf({ call, features }: Ready) {
  return { version: call.version.name, items: features.length };
}

function addMeasures(total: RunMeasures, { items, tokens, modelMs, memoryHits, tableHits, misses }: RequestMeasures) {
  total.items += items;
  total.tokens += tokens;
  total.modelMs += modelMs;
  total.cacheHits += memoryHits + tableHits;
  total.cacheMisses += misses;
}
