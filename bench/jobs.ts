import type { Assembly } from './assembly.ts';
import type { RunningServer } from './contender.ts';
import { localContender } from './local-contender.ts';
import { MODEL_ID } from './repository.ts';
import { percentile, type Summary, summarize } from './statistics.ts';
import { makeTexts } from './texts.ts';

/** How much to measure. */
export interface JobsOptions {
  readonly rounds: number;
  readonly quick: boolean;
}

/** The outcome of jobs that were submitted together. */
export interface JobsLevel {
  /** Jobs of one text each, submitted over a few connections as fast as they are accepted. */
  readonly depth: number;
  /** From request to 202. */
  readonly submitP50Ms: Summary;
  readonly submitP99Ms: Summary;
  /** From acceptance to the end of the job, by its own timestamps. */
  readonly endToEndP50Ms: Summary;
  readonly endToEndP99Ms: Summary;
  /** Jobs over the time from the first request to the last end. */
  readonly jobsPerSecond: Summary;
}

const DEPTHS = [1, 10, 100, 1000] as const;
const QUICK_DEPTHS = [1, 10, 100] as const;

const CONNECTIONS = 8;

/** How often a job is asked for that has not ended. */
const POLL_MS = 10;

/** Durations of one burst of jobs, in milliseconds. */
interface Burst {
  readonly submitMs: readonly number[];
  readonly endToEndMs: readonly number[];
  readonly totalMs: number;
}

/** Measures jobs through local mode: API Gateway, queue, worker, record, with texts that no cache has seen. */
export async function measureJobs(assembly: Assembly, options: JobsOptions): Promise<readonly JobsLevel[]> {
  const depths = options.quick ? QUICK_DEPTHS : DEPTHS;
  const bursts = new Map<number, Burst[]>(depths.map((depth) => [depth, []]));
  const server = await localContender('tensorgate, jobs', assembly, {}).start();
  try {
    await burst(server, makeTexts(CONNECTIONS, 1));
    let seed = 2;
    for (let round = 0; round < options.rounds; round++) {
      for (const depth of depths) bursts.get(depth)?.push(await burst(server, makeTexts(depth, seed++)));
    }
  } finally {
    await server.stop();
  }
  return [...bursts].map(([depth, measured]) => describe(depth, measured));
}

function describe(depth: number, bursts: readonly Burst[]): JobsLevel {
  const of = (figure: (burst: Burst) => number): Summary => summarize(bursts.map(figure));
  return {
    depth,
    submitP50Ms: of(({ submitMs }) => percentile(submitMs, 0.5)),
    submitP99Ms: of(({ submitMs }) => percentile(submitMs, 0.99)),
    endToEndP50Ms: of(({ endToEndMs }) => percentile(endToEndMs, 0.5)),
    endToEndP99Ms: of(({ endToEndMs }) => percentile(endToEndMs, 0.99)),
    jobsPerSecond: of(({ totalMs }) => (depth * 1000) / totalMs),
  };
}

async function burst(server: RunningServer, texts: readonly string[]): Promise<Burst> {
  const startedAtMs = Date.now();
  const submitMs: number[] = [];
  const ids = await inTurns(texts, async (text) => {
    const before = performance.now();
    const id = await submit(server, text);
    submitMs.push(performance.now() - before);
    return id;
  });
  const ended = await inTurns(ids, (id) => waitFor(server, id));
  const lastMs = Math.max(...ended.map(({ ended_at: at }) => Date.parse(at)));
  return {
    submitMs,
    endToEndMs: ended.map(({ created_at: from, ended_at: to }) => Date.parse(to) - Date.parse(from)),
    totalMs: Math.max(1, lastMs - startedAtMs),
  };
}

/** Works through items over a few connections; results in the order of the items. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return results;
}

async function submit({ url, headers }: RunningServer, text: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async', ...headers },
    body: JSON.stringify({ model: MODEL_ID, input: text }),
  });
  if (response.status !== 202) throw new Error(`a job was answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}

interface EndedJob {
  readonly status: string;
  readonly created_at: string;
  readonly ended_at: string;
}

async function waitFor({ url, headers }: RunningServer, id: string): Promise<EndedJob> {
  for (;;) {
    const response = await fetch(new URL(`/v1/jobs/${id}`, url), { headers });
    const job = (await response.json()) as EndedJob;
    if (job.status === 'succeeded') return job;
    if (job.status !== 'queued' && job.status !== 'running') throw new Error(`job ${id} is ${job.status}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
