import { toAppError } from '../../core/errors.ts';
import type { JobMessage } from '../../core/jobs/job-message.ts';
import { inlineBytes } from '../shared/jobs/inline-body.ts';
import type { Verdict } from '../shared/queue/handle-each.ts';
import { requeue, waitForDependency } from '../shared/queue/requeue.ts';
import type { AsyncRuns } from './async-runs.ts';
import { type Attempt, finishJob } from './finish-job.ts';
import type { Decide, JobRun } from './job-run.ts';
import { runRequests } from './run-requests.ts';
import { type NotStarted, type StartedJob, startJob } from './start-job.ts';
import { pollLater } from './waiting-messages.ts';
import type { ScheduledWrite } from './watchdog.ts';
import { dependenciesOf, notTried, type Received } from './work.ts';

/**
 * Maximum bytes of inputs that run together: merging more gains nothing, and takes memory for the results of as many as
 * sixteen thousand inputs.
 */
const MAX_GROUP_BYTES = 64 * 1024;

type Work = Received<JobMessage>;

/**
 * Runs the jobs of an invocation.
 *
 * New messages run together. A job that a worker has started before may crash the worker. Such jobs therefore run last, one at
 * a time, in order of attempts, and each result is stored before the next one starts.
 *
 * @param decide - Called with the verdict of each message.
 */
export async function runJobMessages(works: readonly Work[], decide: Decide, run: JobRun): Promise<void> {
  const isRedelivered = ({ receives }: Work) => receives > 1;
  const completed = new Acknowledgements(run);
  const runNext = async (group: readonly Work[]) => {
    for (const [work, verdict] of await runOrRequeue(group, run)) {
      decide(work, verdict);
      if (verdict === 'done') completed.add(work);
    }
  };
  const { begun, waited } = await byAttempts(works.filter(isRedelivered), run);
  const first = [...works.filter((work) => !isRedelivered(work)), ...waited];
  for (const group of byTenant(first).flatMap(groupsOf)) await runNext(group);
  for (const work of begun) {
    await completed.send();
    await runNext([work]);
  }
}

/** Acknowledges messages before the end of the invocation, because the next message may crash the worker. */
class Acknowledgements {
  readonly #run: JobRun;
  #pending: Work[] = [];

  constructor(run: JobRun) {
    this.#run = run;
  }

  add(work: Work): void {
    this.#pending.push(work);
  }

  async send(): Promise<void> {
    const works = this.#pending;
    this.#pending = [];
    // A message that cannot be deleted now is acknowledged at the end of the invocation.
    await Promise.allSettled(works.map(({ record }) => this.#run.deps.queues.jobs.remove(record.receiptHandle)));
  }
}

async function runOrRequeue(group: readonly Work[], run: JobRun): Promise<[Work, Verdict][]> {
  const { queues, random } = run.deps;
  if (!run.watch.hasTime) return eachWith(group, (work) => requeue(work, queues.jobs));
  const needed = new Set(group.flatMap(({ message }) => dependenciesOf(message)));
  if (run.breakers.areClosed([...needed])) return run.watch.measure(() => runGroup(group, run));
  // One by one: the first is a probe, and the others follow if it succeeds.
  const verdicts: [Work, Verdict][] = [];
  for (const work of group) {
    const away = run.breakers.away(dependenciesOf(work.message));
    if (away === undefined) verdicts.push(...(await run.watch.measure(() => runGroup([work], run))));
    else {
      run.onError(notTried(away));
      verdicts.push([work, await waitForDependency(work, queues.jobs, random)]);
    }
  }
  return verdicts;
}

/**
 * Jobs of a tenant that has more than half of the invocation run after those of the others, which would otherwise wait for
 * all of its work.
 */
function byTenant(works: readonly Work[]): (readonly Work[])[] {
  const tenants = [...Map.groupBy(works, ({ message }) => message.owner).values()];
  const noisy = tenants.find((own) => own.length > works.length / 2);
  if (noisy === undefined || tenants.length === 1) return [works];
  return [works.filter((work) => !noisy.includes(work)), noisy];
}

/** Inputs of unknown size run alone. */
function groupsOf(works: readonly Work[]): Work[][] {
  const groups: Work[][] = [];
  let room = 0;
  for (const work of works) {
    const { input } = work.message;
    const bytes = input.kind === 'inline' ? inlineBytes(input) : Number.POSITIVE_INFINITY;
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

/** Separates jobs that a worker started, those with the fewest attempts first, from those whose message only waited. */
async function byAttempts(works: readonly Work[], { deps }: JobRun): Promise<{ begun: Work[]; waited: Work[] }> {
  // If the attempts cannot be read now, the receives of the messages take their place.
  const attempts = await deps.jobs.attempts(works.map(({ message }) => message)).catch(() => undefined);
  const attemptsOf = new Map(works.map((work, index) => [work, attempts?.[index] ?? work.receives]));
  const inOrder = works.toSorted((a, b) => (attemptsOf.get(a) ?? 0) - (attemptsOf.get(b) ?? 0));
  const begun = inOrder.filter((work) => attemptsOf.get(work) !== 0);
  return { begun, waited: inOrder.slice(0, inOrder.length - begun.length) };
}

async function runGroup(group: readonly Work[], run: JobRun): Promise<[Work, Verdict][]> {
  const { asyncRuns } = run.deps;
  if (asyncRuns !== undefined) return eachWith(group, (work) => runOnEndpoint(work, asyncRuns, run));
  const started = await eachWith(group, (work) => startJob(work, run));
  const requests = started.map(([, job]) => job).filter(isStarted);
  const notes = noteTimeout(started, run);
  const answers = await runRequests(
    requests.map(({ request }) => request),
    run.deps.inference,
    { deadlineMs: run.watch.deadlineMs, measures: run.measures },
  );
  await Promise.all(notes.map((note) => note.cancel()));
  const answerOf = new Map(requests.map((job, index) => [job, answers[index]]));
  return Promise.all(
    started.map(async ([work, job]): Promise<[Work, Verdict]> => {
      const outcome = isStarted(job) ? { outcome: answerOf.get(job), attempt: job.attempt } : job;
      return [work, await finishJob(work, outcome, run)];
    }),
  );
}

/** Jobs that take all of the worker's time get that noted. */
function noteTimeout(started: readonly [Work, StartedJob | NotStarted][], { watch, deps }: JobRun): ScheduledWrite[] {
  const running = started.filter(([, job]) => isStarted(job));
  return running.map(([{ message }]) => deps.notes.ofJob(message, watch.remainingMs));
}

function isStarted(job: StartedJob | NotStarted): job is StartedJob {
  return 'request' in job;
}

/** Each job is a run of its own, because the requests of a run must not depend on the other messages of an invocation. */
async function runOnEndpoint(work: Work, asyncRuns: AsyncRuns, run: JobRun): Promise<Verdict> {
  const { deps, watch, measures } = run;
  let attempt: Attempt | undefined;
  try {
    const found = await asyncRuns.find(work);
    const job = await startJob(work, run, found !== undefined);
    if (!isStarted(job)) return await finishJob(work, job, run);
    attempt = job.attempt;
    const context = { inference: deps.inference, deadlineMs: watch.deadlineMs, measures };
    const answers = await asyncRuns.run(work, found, [job.request], context);
    if (answers === undefined) return await pollLater(work, deps.queues.jobs);
    return await finishJob(work, { outcome: answers[0], attempt }, run);
  } catch (error) {
    return finishJob(work, { outcome: { kind: 'failed', error: toAppError(error) }, attempt }, run);
  }
}

/** Processes works concurrently, and pairs each with its result. */
function eachWith<T>(works: readonly Work[], process: (work: Work) => Promise<T>): Promise<[Work, T][]> {
  return Promise.all(works.map(async (work): Promise<[Work, T]> => [work, await process(work)]));
}
