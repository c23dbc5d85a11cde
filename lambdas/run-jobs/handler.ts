import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type AppError, toAppError } from '../../core/errors.ts';
import { type InvocationId, invocationOfNotification } from '../../core/jobs/async-run.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import { parseJson } from '../../core/json/json.ts';
import { moveToDeadLetters } from '../shared/queue/dead-letters.ts';
import { type Handle, handleTogether, type Verdict } from '../shared/queue/handle-each.ts';
import { receivedOf } from '../shared/queue/requeue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { DependencyBreakers } from '../shared/resilience/dependency-breakers.ts';
import type { CacheFailure } from '../shared/results/results-cache.ts';
import { type LogSettings, logTarget } from '../shared/telemetry/log-line.ts';
import { ClockWatch } from './clock-watch.ts';
import type { JobRun } from './job-run.ts';
import { LinePace } from './line-pace.ts';
import { runChunkMessages } from './run-chunk-messages.ts';
import { runJobMessages } from './run-job-messages.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import { type RunFacts, writeRunLine } from './run-line.ts';
import { noMeasures } from './run-requests.ts';
import { resume } from './waiting-messages.ts';
import { isChunk, isJob, type Received } from './work.ts';

/** Dependencies of the function. */
export interface RunJobsHandlerDeps extends RunJobsDeps, LogSettings {
  /** Returns the failures of the results cache since the last call. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/** The handler of one model's queues. */
export type RunJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** Creates the handler: it runs jobs and chunks, and writes one log line for each invocation. */
export function createHandler(deps: RunJobsHandlerDeps): RunJobsHandler {
  const target = logTarget(deps, deps.inference.clock);
  const pace = new LinePace();
  const breakers = new DependencyBreakers(deps.inference.clock);
  let isCold = true;
  return async (event, context) => {
    const { timer } = deps.inference;
    const startedMs = timer();
    const facts = startFacts(event.Records.length, isCold);
    isCold = false;
    const run: JobRun = {
      deps,
      watch: new ClockWatch(() => context.getRemainingTimeInMillis(), timer),
      measures: facts.measures,
      pace,
      breakers,
      onError: ({ code, dependency }) => {
        facts.errors.set(code, (facts.errors.get(code) ?? 0) + 1);
        if (dependency !== undefined) breakers.failed(dependency);
      },
      onLines: ({ completed, failed }) => {
        facts.lines.completed += completed;
        facts.lines.failed += failed;
      },
      onCompleted: ({ status }) => facts.ended.set(status, (facts.ended.get(status) ?? 0) + 1),
    };
    const queue = queueOf(event.Records[0], deps);
    const runAll: Handle = (records, decide) => runMessages(records, decide, run);
    const response = await handleTogether(event, queue, runAll, run.onError);
    const { packed } = deps.inference;
    writeRunLine(target, {
      ...facts,
      retried: response.batchItemFailures.length,
      cacheFailures: deps.takeCacheFailures().length,
      model: packed.manifest.id,
      awsRequestId: context.awsRequestId,
      durationMs: timer() - startedMs,
    });
    return response;
  };
}

function startFacts(messages: number, isCold: boolean) {
  return {
    messages,
    isCold,
    measures: noMeasures(),
    errors: new Map<string, number>(),
    ended: new Map<string, number>(),
    lines: { completed: 0, failed: 0 },
  } satisfies Partial<RunFacts>;
}

async function runMessages(
  records: readonly SQSRecord[],
  decide: (record: SQSRecord, verdict: Verdict) => void,
  run: JobRun,
): Promise<void> {
  const valid: Received[] = [];
  const notifications: Notification[] = [];
  for (const record of records) {
    const read = readRecord(record);
    if ('invocation' in read) notifications.push(read);
    else if ('message' in read) valid.push(read);
    else decide(record, await moveInvalid(record, read.error, run));
  }
  await Promise.all(
    bySubmission(notifications).map(async (group) => {
      const verdict = await onEndpointNotifications(group, run);
      for (const { record } of group) decide(record, verdict);
    }),
  );
  const copies = copiesByOriginal(valid);
  const works = [...copies.keys()];
  const decideAll = (work: Received, verdict: Verdict) => {
    for (const { record } of [work, ...(copies.get(work) ?? [])]) decide(record, verdict);
  };
  await runJobMessages(works.filter(isJob), decideAll, run);
  await runChunkMessages(works.filter(isChunk), decideAll, run);
}

/** A message in which an endpoint reports the completion of a request. */
interface Notification {
  readonly record: SQSRecord;
  readonly invocation: InvocationId;
}

function readRecord(record: SQSRecord): Received | Notification | { readonly error: AppError } {
  try {
    const body = parseJson(record.body);
    const invocation = invocationOfNotification(body);
    if (invocation !== undefined) return { record, invocation };
    return { message: parseWorkMessage(body), ...receivedOf(record) };
  } catch (error) {
    return { error: toAppError(error) };
  }
}

function bySubmission(notifications: readonly Notification[]): Notification[][] {
  return [...Map.groupBy(notifications, ({ invocation: { run, submission } }) => `${run}.${submission}`).values()];
}

/** Resumes work whose last outstanding request of a submission an endpoint has completed. */
async function onEndpointNotifications(group: readonly Notification[], { deps, onError }: JobRun): Promise<Verdict> {
  const [first] = group;
  if (first === undefined) return 'done';
  const { run: key, submission } = first.invocation;
  const numbers = [...new Set(group.map(({ invocation }) => invocation.number))];
  try {
    const run = await deps.asyncRuns?.complete(key, submission, numbers);
    if (run !== undefined) await resume(run, run.message.kind === 'job' ? deps.queues.jobs : deps.queues.chunks);
    return 'done';
  } catch (error) {
    onError(toAppError(error));
    return 'retry';
  }
}

/** A message that was delivered more than once in one invocation is run once. */
function copiesByOriginal(works: readonly Received[]): Map<Received, Received[]> {
  const originals = new Map<string, Received>();
  const copies = new Map<Received, Received[]>();
  for (const work of works) {
    const original = originals.get(work.record.body);
    if (original === undefined) {
      originals.set(work.record.body, work);
      copies.set(work, []);
    } else {
      copies.get(original)?.push(work);
    }
  }
  return copies;
}

/** Moves an invalid message to the dead letters: a retry would fail as well. */
function moveInvalid(record: SQSRecord, error: AppError, { deps, onError }: JobRun): Promise<Verdict> {
  const sourceQueue = queueOf(record, deps).url;
  return moveToDeadLetters(record, error, { deadLetters: deps.deadLetters, sourceQueue, onFailure: onError });
}

/** The queue that a message came from. An event holds messages of one queue. */
function queueOf(record: SQSRecord | undefined, { queues: { jobs, chunks } }: RunJobsDeps): WorkQueue {
  const name = record?.eventSourceARN.split(':').at(-1) ?? '';
  return chunks.url.endsWith(`/${name}`) ? chunks : jobs;
}
