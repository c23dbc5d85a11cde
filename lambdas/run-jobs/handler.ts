import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type AppError, toAppError } from '../../core/errors.ts';
import { runOfNotification } from '../../core/jobs/async-run.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import { parseJson } from '../../core/json/json.ts';
import type { CacheFailure } from '../shared/results/fail-open-result-cache.ts';
import { ClockWatch } from './clock-watch.ts';
import { goOn, receivesOf } from './give-back.ts';
import { runChunkMessages } from './run-chunk-messages.ts';
import { type JobRun, runJobMessages } from './run-job-messages.ts';
import type { RunJobsDeps } from './run-jobs-deps.ts';
import { type RunFacts, runLine } from './run-line.ts';
import { noMeasures } from './run-requests.ts';
import { isChunk, isJob, type Received, type Verdict } from './work.ts';

/** All that {@link createHandler} wires. */
export interface RunJobsHandlerDeps extends RunJobsDeps {
  readonly stage: string;
  readonly metricsNamespace: string;
  /** Writes one line to the log. */
  readonly write: (line: string) => void;
  /** Takes the failures of the results cache since it was last asked. */
  readonly takeCacheFailures: () => readonly CacheFailure[];
}

/** The handler of one model's queues. */
export type RunJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** Wires the function: jobs and chunks in, one log line for each invocation. */
export function createHandler(deps: RunJobsHandlerDeps): RunJobsHandler {
  let isCold = true;
  return async (event, context) => {
    const { timer, clock } = deps.inference;
    const startedMs = timer();
    const facts = startFacts(event.Records.length, isCold);
    isCold = false;
    const run: JobRun = {
      deps,
      watch: new ClockWatch(() => context.getRemainingTimeInMillis(), timer),
      measures: facts.measures,
      onError: ({ code }) => facts.errors.set(code, (facts.errors.get(code) ?? 0) + 1),
      onLines: ({ completed, failed }) => {
        facts.lines.completed += completed;
        facts.lines.failed += failed;
      },
      onEnded: ({ status }) => facts.ended.set(status, (facts.ended.get(status) ?? 0) + 1),
    };
    const verdicts = await dispatch(event.Records, run);
    const failed = event.Records.filter(({ messageId }) => verdicts.get(messageId) !== 'done');
    const { packed } = deps.inference;
    deps.write(
      runLine({
        ...facts,
        again: failed.length,
        cacheFailures: deps.takeCacheFailures().length,
        model: packed.manifest.id,
        stage: deps.stage,
        namespace: deps.metricsNamespace,
        awsRequestId: context.awsRequestId,
        nowMs: clock.now(),
        durationMs: timer() - startedMs,
      }),
    );
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
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

async function dispatch(records: readonly SQSRecord[], run: JobRun): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  const understood: Received[] = [];
  for (const record of records) {
    const received = readRecord(record);
    if ('asyncRun' in received) verdicts.set(record.messageId, await hear(received.asyncRun, run));
    else if ('message' in received) understood.push(received);
    else verdicts.set(record.messageId, await park(record, received.error, run));
  }
  const repeats = duplicates(understood);
  const works = understood.filter((work) => !repeats.has(work));
  for (const [id, verdict] of await runJobMessages(works.filter(isJob), run)) verdicts.set(id, verdict);
  for (const [id, verdict] of await runChunkMessages(works.filter(isChunk), run)) verdicts.set(id, verdict);
  for (const [repeat, original] of repeats) {
    verdicts.set(repeat.record.messageId, verdicts.get(original.record.messageId) ?? 'again');
  }
  return verdicts;
}

function readRecord(record: SQSRecord): Received | { readonly asyncRun: string } | { readonly error: AppError } {
  try {
    const body = parseJson(record.body);
    const asyncRun = runOfNotification(body);
    if (asyncRun !== undefined) return { asyncRun };
    return { message: parseWorkMessage(body), record, receives: receivesOf(record) };
  } catch (error) {
    return { error: toAppError(error) };
  }
}

/** An endpoint is done with something: work that waits for nothing else goes on. */
async function hear(asyncRun: string, { deps, onError }: JobRun): Promise<Verdict> {
  try {
    const run = await deps.asyncRuns?.ended(asyncRun);
    if (run !== undefined) await goOn(run, run.message.kind === 'job' ? deps.queues.jobs : deps.queues.chunks);
    return 'done';
  } catch (error) {
    onError(toAppError(error));
    return 'again';
  }
}

/** The same message twice in one invocation is worked on once. */
function duplicates(works: readonly Received[]): Map<Received, Received> {
  const first = new Map<string, Received>();
  const repeats = new Map<Received, Received>();
  for (const work of works) {
    const original = first.get(work.record.body);
    if (original === undefined) first.set(work.record.body, work);
    else repeats.set(work, original);
  }
  return repeats;
}

/** What nobody can understand must not come again and again. */
async function park(record: SQSRecord, { code, message }: AppError, { deps, onError }: JobRun): Promise<Verdict> {
  const queue = record.eventSourceARN.split(':').at(-1) ?? '';
  const { jobs, chunks } = deps.queues;
  const sourceQueue = chunks.url.endsWith(`/${queue}`) ? chunks.url : jobs.url;
  try {
    await deps.deadLetters.park(record, { code, message, sourceQueue });
    return 'done';
  } catch (error) {
    onError(toAppError(error));
    return 'again';
  }
}
