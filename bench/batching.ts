import { type Body, JSON_MEDIA_TYPE } from '../core/api/body.ts';
import { runRequests } from '../lambdas/run-jobs/run-requests.ts';
import { codecOf } from '../lambdas/shared/inference/codec-of.ts';
import { contextOf, type InferenceDeps } from '../lambdas/shared/inference/inference.ts';
import { openInference } from '../lambdas/shared/inference/open-inference.ts';
import { prepareItems, runItems } from '../lambdas/shared/inference/run-items.ts';
import { startMeasures } from '../lambdas/shared/telemetry/request-measures.ts';
import { MODEL_ID } from './repository.ts';
import { interleave, type Summary, summarize } from './statistics.ts';
import { makeTexts } from './texts.ts';

/** Settings of the measurement. */
export interface BatchingOptions {
  /** Folder of the packed model. */
  readonly modelFolder: string;
  readonly rounds: number;
  readonly quick: boolean;
}

/** The gain from merging the inputs of many jobs. */
export interface BatchingResult {
  /** Which texts: `mixed`, `short` or `long`. */
  readonly lengths: string;
  /** Jobs of one text each that are there at the same time. */
  readonly jobs: number;
  /** Items per second, one request after the other, as serve-model runs them. */
  readonly alone: Summary;
  /** Items per second, merged as run-jobs merges them. */
  readonly merged: Summary;
  /** Merged over alone, by round. */
  readonly gain: Summary;
}

/** Numbers of jobs that run together: a batch of the queue, and a chunk of a file. */
const SIZES = [10, 200] as const;

const MEMORY_MIB = 1769;

/** Words of texts that count as short or long. */
const SHORT_WORDS = 12;
const LONG_WORDS = 60;

const NEVER = Number.POSITIVE_INFINITY;

/** Measures the same texts one by one and merged, in turns, with the results cache off. */
export async function measureBatching({ modelFolder, rounds, quick }: BatchingOptions): Promise<BatchingResult[]> {
  const { deps } = await openInference({
    modelFolder,
    resultsTable: undefined,
    endpoint: undefined,
    memoryMiB: MEMORY_MIB,
  });
  const uncached: InferenceDeps = { ...deps, cache: undefined };
  const results: BatchingResult[] = [];
  for (const [lengths, texts] of Object.entries(textSets())) {
    for (const size of SIZES) {
      results.push(await measure(lengths, texts.slice(0, size), quick ? 1 : rounds, uncached));
    }
  }
  return results;
}

function textSets(): Readonly<Record<string, readonly string[]>> {
  const all = makeTexts(4000, 99);
  const words = (text: string): number => text.split(' ').length;
  return {
    mixed: all,
    short: all.filter((text) => words(text) <= SHORT_WORDS),
    long: all.filter((text) => words(text) >= LONG_WORDS),
  };
}

async function measure(
  lengths: string,
  texts: readonly string[],
  rounds: number,
  deps: InferenceDeps,
): Promise<BatchingResult> {
  const bodies = texts.map((input) => ({
    mediaType: JSON_MEDIA_TYPE,
    value: { model: MODEL_ID, input, encoding_format: 'base64' },
  }));
  const perSecond = async (run: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await run();
    return (texts.length * 1000) / (performance.now() - startedMs);
  };
  const ways = [() => runAlone(bodies, deps), () => runMerged(bodies, deps)];
  const [alone = [], merged = []] = await interleave(ways, Math.max(3, rounds), perSecond);
  return {
    lengths,
    jobs: texts.length,
    alone: summarize(alone),
    merged: summarize(merged),
    gain: summarize(merged.map((value, round) => value / (alone[round] ?? Number.NaN))),
  };
}

async function runAlone(bodies: readonly Body[], deps: InferenceDeps): Promise<void> {
  const version = await deps.versions.open(versionOf(deps));
  const codec = await codecOf('embeddings', deps);
  const context = contextOf(version, deps);
  const policy = { read: false, write: false };
  for (const body of bodies) {
    const call = { version, policy, cachePrefix: '', deadlineMs: NEVER, measures: startMeasures(deps.timer()) };
    const request = codec.decode(body, context);
    const features = await prepareItems(request, call, deps);
    codec.encode(await runItems(features, call, deps), { request, features }, context);
  }
}

async function runMerged(bodies: readonly Body[], deps: InferenceDeps): Promise<void> {
  const requests = bodies.map((body) => ({ operation: 'embeddings', body, owner: 'bench' }));
  const measures = { items: 0, tokens: 0, modelMs: 0, cacheHits: 0, cacheMisses: 0 };
  const answers = await runRequests(requests, deps, { deadlineMs: NEVER, measures });
  const failed = answers.find(({ kind }) => kind === 'failed');
  if (failed !== undefined) throw new Error('a request of the bench failed');
}

function versionOf({ packed }: InferenceDeps): string {
  return Object.keys(packed.versions)[0] ?? '';
}
