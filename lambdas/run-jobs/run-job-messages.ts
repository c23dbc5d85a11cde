import type { BatchCounts } from '../../core/batches/batch.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { REDRIVE_ATTRIBUTE } from '../../core/jobs/dead-letter.ts';
import type { Job, JobDefinition, JobResult } from '../../core/jobs/job.ts';
import { parseEndpoint } from '../../core/jobs/job-endpoint.ts';
import { type JobMessage, MAX_INLINE_RESULT_BYTES, MAX_JOB_INPUT_BYTES } from '../../core/jobs/job-message.ts';
import type { Claim } from '../../core/jobs/job-store.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import type { PayloadStore } from '../../core/jobs/payload-store.ts';
import { parseJson } from '../../core/json/json.ts';
import type { AsyncRuns } from './async-runs.ts';
import type { ClockWatch } from './clock-watch.ts';
import { comeAgain, giveBack, lookAgainLater } from './give-back.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import { type Answer, type ModelRequest, type RunMeasures, runRequests } from './run-requests.ts';
import { isRetryable, jobError, type Received, type Verdict } from './work.ts';

/** Bytes of inputs that are worked on together: beyond it, merging more gains nothing and holds memory. */
const MAX_GROUP_BYTES = 256 * 1024;

/** A job of an invocation, and where its verdict goes. */
type Work = Received<JobMessage>;

/** What messages of jobs need. */
export interface JobRun {
  readonly deps: RunJobsDeps;
  readonly watch: ClockWatch;
  readonly measures: RunMeasures;
  /** Hears of each error that a job ran into. */
  readonly onError: (error: AppError) => void;
  readonly onEnded: (job: Job) => void;
  /** Hears of the lines of each chunk that was run. */
  readonly onLines: (counts: BatchCounts) => void;
}

/**
 * Runs the jobs of an invocation.
 *
 * Those that come for the first time run together. A message that came before may be one that ends the process, so those
 * run after them, alone, the one with the fewest attempts first: each is claimed right before it runs and written right
 * after, so that it takes nobody with it.
 *
 * @returns What becomes of each message, by message id.
 */
export async function runJobMessages(works: readonly Work[], run: JobRun): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  const [fresh, repeats] = [
    works.filter(({ receives }) => receives === 1),
    works.filter(({ receives }) => receives > 1),
  ];
  const runNext = async (group: readonly Work[]) => {
    for (const [id, verdict] of await runOrGiveBack(group, run)) verdicts.set(id, verdict);
  };
  for (const group of groupsOf(fresh)) await runNext(group);
  const done = new Acknowledgements(works, run);
  for (const work of await inOrderOfAttempts(repeats, run)) {
    await done.send(verdicts);
    await runNext([work]);
  }
  return verdicts;
}

/** Acknowledges messages before the invocation has ended, for the next one may end the process. */
class Acknowledgements {
  readonly #run: JobRun;
  readonly #open: Set<Work>;

  constructor(works: readonly Work[], run: JobRun) {
    this.#run = run;
    this.#open = new Set(works);
  }

  async send(verdicts: ReadonlyMap<string, Verdict>): Promise<void> {
    const done = [...this.#open].filter(({ record }) => verdicts.get(record.messageId) === 'done');
    for (const work of done) this.#open.delete(work);
    // What fails here is acknowledged when the invocation has ended.
    await Promise.allSettled(done.map(({ record }) => this.#run.deps.queues.jobs.remove(record.receiptHandle)));
  }
}

function runOrGiveBack(group: readonly Work[], run: JobRun): Promise<[string, Verdict][]> {
  if (run.watch.hasTime) return run.watch.measure(() => runGroup(group, run));
  const { queues } = run.deps;
  return Promise.all(
    group.map(async (work): Promise<[string, Verdict]> => [work.record.messageId, await giveBack(work, queues.jobs)]),
  );
}

/** Inputs of unknown size run alone. */
function groupsOf(works: readonly Work[]): Work[][] {
  const groups: Work[][] = [];
  let room = 0;
  for (const work of works) {
    const { input } = work.message;
    const bytes = input.kind === 'inline' ? input.json.length : Number.POSITIVE_INFINITY;
    const last = groups.at(-1);
    if (last === undefined || bytes > room) {
      groups.push([work]);
      room = bytes === Number.POSITIVE_INFINITY ? 0 : MAX_GROUP_BYTES - bytes;
    } else {
      last.push(work);
      room -= bytes;
    }
  }
  return groups;
}

async function inOrderOfAttempts(works: readonly Work[], { deps }: JobRun): Promise<Work[]> {
  const attempts = new Map<Work, number>();
  for (const work of works) {
    // Where the record can't be read now, claiming it will tell.
    const job = await deps.jobs.get(work.message).catch(() => undefined);
    attempts.set(work, job?.attempts ?? 0);
  }
  return works.toSorted((a, b) => (attempts.get(a) ?? 0) - (attempts.get(b) ?? 0));
}

/** What an endpoint is asked for a job must not depend on which others came with it. */
async function runOnEndpoint(work: Work, asyncRuns: AsyncRuns, run: JobRun): Promise<Verdict> {
  const { deps, watch, measures } = run;
  try {
    const found = await asyncRuns.find(work);
    const one = await begin(work, run, found !== undefined);
    if ('verdict' in one) return await end(work, one.verdict, run);
    const context = { inference: deps.inference, deadlineMs: watch.deadlineMs, measures };
    const answers = await asyncRuns.run(work, found, [one.request], context);
    if (answers === undefined) return await lookAgainLater(work, deps.queues.jobs);
    return await end(work, answers[0], run);
  } catch (error) {
    return end(work, { kind: 'failed', error: toAppError(error) }, run);
  }
}

async function runGroup(group: readonly Work[], run: JobRun): Promise<[string, Verdict][]> {
  const { asyncRuns } = run.deps;
  if (asyncRuns !== undefined) {
    return Promise.all(
      group.map(
        async (work): Promise<[string, Verdict]> => [work.record.messageId, await runOnEndpoint(work, asyncRuns, run)],
      ),
    );
  }
  const begun = await Promise.all(group.map((work) => begin(work, run)));
  const requests = begun.filter((one): one is Begun => one !== undefined && 'request' in one);
  const answers = await runRequests(
    requests.map(({ request }) => request),
    run.deps.inference,
    { deadlineMs: run.watch.deadlineMs, measures: run.measures },
  );
  const answerOf = new Map(requests.map((one, index) => [one, answers[index]]));
  return Promise.all(
    group.map(async (work, index): Promise<[string, Verdict]> => {
      const one = begun[index];
      return [
        work.record.messageId,
        await end(work, one === undefined || 'verdict' in one ? one?.verdict : answerOf.get(one), run),
      ];
    }),
  );
}

/** A job that is claimed and whose input is read. */
interface Begun {
  readonly request: ModelRequest;
}

/**
 * Claims a job and reads its input; a verdict stands where there is nothing to run.
 *
 * @param isBegun - Whether the same attempt was begun before and waited since.
 */
async function begin(
  work: Work,
  run: JobRun,
  isBegun = false,
): Promise<Begun | { readonly verdict: Verdict | Answer }> {
  const { message, record } = work;
  const { jobs, payloads } = run.deps;
  try {
    const redriveId = record.messageAttributes[REDRIVE_ATTRIBUTE]?.stringValue;
    if (redriveId !== undefined) await jobs.reopen(message, redriveId);
    const claim = await claimOf(message, run, isBegun);
    if (claim.kind === 'foreign') return { verdict: 'done' };
    if (claim.kind === 'ended') {
      await tellOnce(claim.job, run);
      return { verdict: 'done' };
    }
    return { request: requestOf(message, await readInput(message, payloads), run.deps.inference.packed.manifest.id) };
  } catch (error) {
    return { verdict: { kind: 'failed', error: toAppError(error) } };
  }
}

/** A job that waited for its endpoint goes on with the attempt that was begun. */
async function claimOf(message: JobMessage, { deps }: JobRun, isBegun: boolean): Promise<Claim> {
  const job = isBegun ? await deps.jobs.get(message) : undefined;
  if (job === undefined || job.status === 'queued') return deps.jobs.claim(definitionOf(message));
  if (job.hash !== message.hash) return { kind: 'foreign' };
  return { kind: job.status === 'running' ? 'claimed' : 'ended', job };
}

async function readInput({ input }: JobMessage, payloads: PayloadStore): Promise<string> {
  if (input.kind === 'inline') return input.json;
  const bytes = await payloads.get(input.payload, { maxBytes: MAX_JOB_INPUT_BYTES });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_ENCODING', 'the input is not UTF-8', { cause });
  }
}

/**
 * Nobody has seen an input that lies in a file yet: which model it names is known here only.
 *
 * @param own - Id of the model that runs here.
 */
function requestOf(message: JobMessage, text: string, own: string): ModelRequest {
  const { operation, model = own, version } = parseEndpoint(message.endpoint);
  const body = parseJson(text);
  if (model !== own) throw notHere(own, 'endpoint');
  if (operation === 'embeddings' && !namesModel(body, own)) throw notHere(own, 'model');
  const pinned = message.version ?? version;
  const request = { operation, body, owner: message.owner };
  return pinned === undefined ? request : { ...request, version: pinned };
}

/** Whether a body names a model, or nothing that could be one: then the protocol says what is wrong. */
function namesModel(body: unknown, model: string): boolean {
  if (typeof body !== 'object' || body === null || !('model' in body)) return true;
  return typeof body.model !== 'string' || body.model === '' || body.model === model;
}

function notHere(own: string, param: string): AppError {
  return new AppError('MODEL_NOT_FOUND', `${param} must name the model that the job was submitted to, ${own}`, {
    param,
  });
}

/** Writes what came of a job, and tells everybody who wants to know. */
async function end(work: Work, answer: Verdict | Answer | undefined, run: JobRun): Promise<Verdict> {
  if (answer === 'done' || answer === 'again') return answer;
  try {
    if (answer === undefined) throw new AppError('INTERNAL', 'the request has no answer');
    if (answer.kind === 'failed') throw answer.error;
    const result = await placeResult(work.message, answer.body, run.deps);
    const { version, items } = answer;
    await finish(work.message, { status: 'succeeded', result, version, items }, run);
    return 'done';
  } catch (cause) {
    return fail(work, toAppError(cause), answer, run);
  }
}

async function fail(work: Work, error: AppError, answer: Answer | undefined, run: JobRun): Promise<Verdict> {
  const { deps, onError } = run;
  const { message, receives } = work;
  onError(error);
  try {
    if (isRetryable(error) && receives < deps.maxReceiveCount) {
      await deps.jobs.noteError(message, jobError(error));
      return await comeAgain(work, deps.queues.jobs, deps.random);
    }
    const { version, items } = answer ?? {};
    await finish(
      message,
      {
        status: 'failed',
        error: jobError(error),
        ...(version === undefined ? {} : { version }),
        ...(items === undefined ? {} : { items }),
      },
      run,
    );
    // What might have worked some other time, an operator can put back; what never will is the caller's to mend.
    if (isRetryable(error)) await park(work, error, deps);
    return 'done';
  } catch (second) {
    onError(toAppError(second));
    return comeAgain(work, deps.queues.jobs, deps.random);
  }
}

async function park({ record }: Work, { code, message }: AppError, { deadLetters, queues }: RunJobsDeps) {
  await deadLetters.park(record, { code, message, sourceQueue: queues.jobs.url });
}

async function finish(key: JobMessage, outcome: Parameters<RunJobsDeps['jobs']['finish']>[1], run: JobRun) {
  const job = await run.deps.jobs.finish(key, outcome);
  run.onEnded(job);
  await tellOnce(job, run);
}

/** Tells the destinations of a job that has ended, unless that was done; a crash in between tells them twice. */
async function tellOnce(job: Job, { deps }: JobRun): Promise<void> {
  if (job.notifiedAtMs !== undefined) return;
  await deps.notifier.notifyJobs([job]);
  await deps.jobs.markNotified(job);
}

async function placeResult(key: JobMessage, body: string, { payloads }: RunJobsDeps): Promise<JobResult> {
  const bytes = Buffer.byteLength(body);
  if (bytes <= MAX_INLINE_RESULT_BYTES) return { kind: 'inline', json: body };
  const payload = { bucket: payloads.bucket, key: payloadKeys.jobResult(key) };
  await payloads.put(payload.key, body, 'application/json');
  return { kind: 'payload', payload, bytes };
}

function definitionOf({ v, kind, input, ...definition }: JobMessage): JobDefinition {
  return definition;
}
