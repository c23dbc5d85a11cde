import { type AnswerCheck, checkAnswers } from './check-answers.ts';
import type { Contender } from './contender.ts';
import { applyLoad, type LoadResult } from './load.ts';
import { MODEL_ID } from './repository.ts';
import { interleave, median, type Summary, summarize } from './statistics.ts';
import { makeTexts } from './texts.ts';

/** How much to measure. */
export interface ThroughputOptions {
  readonly rounds: number;
  /** Length of each measurement. */
  readonly seconds: number;
}

/** Results of a server at one concurrency. */
export interface ThroughputLevel {
  readonly concurrency: number;
  readonly requestsPerSecond: Summary;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
}

/** Results of a server. */
export interface ThroughputResult {
  readonly name: string;
  readonly side: Contender['side'];
  readonly levels: readonly ThroughputLevel[];
  readonly answers: AnswerCheck;
  /** Memory of all its processes after the heaviest load, in MiB; absent if the system does not report it. */
  readonly rssMiB?: number;
  /** The same with shared pages split among those who share them. */
  readonly pssMiB?: number;
}

const BODIES = 200;
const CONCURRENCIES = [1, 8, 32] as const;

/**
 * Measures servers in turns, each alone on the machine, at growing concurrency: every round starts it again, compares
 * its answers with the reference, warms it up, then measures.
 */
export async function measureThroughput(
  contenders: readonly Contender[],
  { rounds, seconds }: ThroughputOptions,
): Promise<readonly ThroughputResult[]> {
  const bodies = makeBodies();
  const measured = await interleave(contenders, rounds, (contender) => measureOnce(contender, bodies, seconds));
  return contenders.map((contender, index) => describe(contender, measured[index] ?? []));
}

/** The requests that every server gets: one text each, answered as JSON numbers. */
function makeBodies(): readonly string[] {
  return makeTexts(BODIES).map((input) => JSON.stringify({ model: MODEL_ID, input, encoding_format: 'float' }));
}

interface Visit {
  readonly loads: readonly LoadResult[];
  readonly answers: AnswerCheck;
  readonly rssMiB: number | undefined;
  readonly pssMiB: number | undefined;
}

async function measureOnce(contender: Contender, bodies: readonly string[], seconds: number): Promise<Visit> {
  const server = await contender.start();
  try {
    const answers = await checkAnswers(server);
    await applyLoad(server, { concurrency: 8, seconds: Math.max(1, seconds / 2), bodies });
    const loads: LoadResult[] = [];
    for (const concurrency of CONCURRENCIES) loads.push(await applyLoad(server, { concurrency, seconds, bodies }));
    const memory = server.memory();
    return { loads, answers, rssMiB: memory?.rssMiB, pssMiB: memory?.pssMiB };
  } finally {
    await server.stop();
  }
}

function describe({ name, side }: Contender, visits: readonly Visit[]): ThroughputResult {
  const memoryOf = (key: 'rssMiB' | 'pssMiB') => {
    const values = visits.flatMap((visit) => visit[key] ?? []);
    return values.length === 0 ? {} : { [key]: median(values) };
  };
  return {
    name,
    side,
    levels: CONCURRENCIES.map((concurrency, level) => {
      const of = (key: 'requestsPerSecond' | 'p50Ms' | 'p99Ms') =>
        summarize(visits.flatMap(({ loads }) => loads[level]?.[key] ?? []));
      return { concurrency, requestsPerSecond: of('requestsPerSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') };
    }),
    answers: visits[0]?.answers ?? { meanCosine: Number.NaN, minCosine: Number.NaN },
    ...memoryOf('rssMiB'),
    ...memoryOf('pssMiB'),
  };
}
