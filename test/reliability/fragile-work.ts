import type { PatientCaller } from './client.ts';
import { type Behavior, FRAGILE_ENDPOINT, FRAGILE_TRIES, fragileBody } from './fragile-model.ts';
import { SeededRandom } from './seeded-random.ts';
import type { ServiceName } from './services.ts';

/** A job, or a line of a batch, for the fragile model. */
export interface FragileRequest {
  /** Id of the job, or `custom_id` of the line. */
  readonly key: string;
  readonly behavior: Behavior;
  /** The result of a request that is `fine`. */
  readonly steps: number;
}

/** Work among which there are requests that end their worker. */
export interface FragileWork {
  readonly jobs: readonly FragileRequest[];
  readonly lines: readonly FragileRequest[];
}

/**
 * Returns the error codes that a request may have. The reason of an endless one is noted in the jobs table, which can be
 * unavailable then.
 *
 * @param outage - Service that is away for a time.
 */
function errorsOf(behavior: Exclude<Behavior, 'fine'>, outage: ServiceName): readonly string[] {
  if (behavior === 'memory') return ['WORKER_LOST'];
  return outage === 'DynamoDB' ? ['TIMEOUT', 'WORKER_LOST'] : ['TIMEOUT'];
}

/** Numbers of requests that are fine. */
const FINE_JOBS = 5;
const FINE_LINES = 12;

/** Plans a job and a line that take too much memory, and a job and a line that never end, among others. */
export function planFragileWork(seed: number, wave: number): FragileWork {
  const random = SeededRandom.of(seed, `fragile ${wave}`);
  const plan = (prefix: string, fine: number): FragileRequest[] => {
    const behaviors: Behavior[] = Array.from({ length: fine }, () => 'fine');
    for (const behavior of ['memory', 'endless'] as const)
      behaviors.splice(random.whole(0, behaviors.length), 0, behavior);
    return behaviors.map((behavior, index) => ({
      key: `${prefix}-${wave}-${index}`,
      behavior,
      steps: random.whole(1, 1000),
    }));
  };
  return { jobs: plan('fragile', FINE_JOBS), lines: plan('line', FINE_LINES) };
}

/** Lists the error codes that each dead letter of the work may have. */
export function deadLetterCodes({ jobs }: FragileWork, outage: ServiceName): (readonly string[])[] {
  return jobs.flatMap(({ behavior }) => (behavior === 'fine' ? [] : [errorsOf(behavior, outage)]));
}

/** Submits the jobs. */
export async function submitFragileJobs({ jobs }: FragileWork, caller: PatientCaller): Promise<void> {
  for (const { key, behavior, steps } of jobs) {
    const body = { endpoint: FRAGILE_ENDPOINT, body: fragileBody(behavior, steps) };
    await caller.call('PUT', `/v1/jobs/${key}`, { body });
  }
}

/** Writes the lines of the batch. */
export function fragileLines({ lines }: FragileWork): string[] {
  return lines.map(({ key, behavior, steps }) =>
    JSON.stringify({ custom_id: key, method: 'POST', url: FRAGILE_ENDPOINT, body: fragileBody(behavior, steps) }),
  );
}

/**
 * Checks jobs that have ended: the ones that end their worker have failed with the true reason after all their tries, the
 * others have their results.
 *
 * @returns Everything that is wrong.
 */
export async function checkFragileJobs(
  { jobs }: FragileWork,
  outage: ServiceName,
  caller: PatientCaller,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { key, behavior, steps } of jobs) {
    const { json } = await caller.call('GET', `/v1/jobs/${key}`);
    const { code = '' } = (json['error'] ?? {}) as { readonly code?: string };
    const attempts = Number(json['attempts']);
    const facts = `${key} (${behavior}) is ${json['status']} ${code} after ${attempts} attempts`;
    const isRight =
      behavior === 'fine'
        ? isResult(json['result'], steps) && attempts <= FRAGILE_TRIES
        : errorsOf(behavior, outage).includes(code) && attempts === FRAGILE_TRIES;
    if (!isRight) problems.push(facts);
  }
  return problems;
}

interface FileLine {
  readonly custom_id: string;
  readonly response: { readonly body: { readonly error?: { readonly code?: string } } } | null;
  /** The error of a line that was never answered. */
  readonly error: { readonly code: string } | null;
}

/**
 * Checks a batch that has ended, as {@link checkFragileJobs} does.
 *
 * @returns Everything that is wrong.
 */
export async function checkFragileBatch(
  { lines }: FragileWork,
  id: string,
  outage: ServiceName,
  caller: PatientCaller,
): Promise<string[]> {
  const { json } = await caller.call('GET', `/v1/batches/${id}`);
  if (json['status'] !== 'completed') return [`the fragile batch is ${json['status']}`];
  const files = [json['output_file_id'], json['error_file_id']].filter((file) => typeof file === 'string');
  const texts = await Promise.all(files.map((file) => caller.content(file)));
  const found = texts.flatMap((text) => text.split('\n').filter(Boolean)).map((text) => JSON.parse(text) as FileLine);
  const problems: string[] = [];
  for (const { key, behavior, steps } of lines) {
    const own = found.filter(({ custom_id: customId }) => customId === key);
    const { response, error } = own[0] ?? {};
    const code = error?.code ?? response?.body.error?.code ?? '';
    const isRight = behavior === 'fine' ? isResult(response?.body, steps) : errorsOf(behavior, outage).includes(code);
    if (own.length === 1 && isRight) continue;
    problems.push(`${key} (${behavior}) of the fragile batch has ${own.length} lines: ${JSON.stringify(own[0])}`);
  }
  return problems;
}

function isResult(result: unknown, steps: number): boolean {
  const { outputs } = (result ?? {}) as { readonly outputs?: readonly { readonly data: readonly number[] }[] };
  return outputs?.[0]?.data[0] === steps;
}
