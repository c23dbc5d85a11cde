import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { AppError, ERRORS, toAppError } from '../../core/errors.ts';
import { type JobEvent, parseJobEvent } from '../../core/jobs/cloud-event.ts';
import { PRODUCERS } from '../../core/jobs/job.ts';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { parseJson } from '../../core/json/json.ts';
import { jsonMember } from '../../core/json/json-member.ts';
import { type ResolveDeps, resolveRequest } from '../shared/jobs/resolve-request.ts';
import type { Submit } from '../shared/jobs/submit-job.ts';
import type { DeadLetters } from '../shared/queue/dead-letters.ts';
import { sha256 } from '../shared/sha256.ts';
import type { jobsLog } from '../shared/telemetry/jobs-line.ts';

/** What the function works with. */
export interface AcceptJobsDeps {
  readonly resolve: ResolveDeps;
  readonly submit: Submit;
  readonly deadLetters: DeadLetters;
  /** URL of the queue that the messages come from. */
  readonly jobsQueue: string;
  /** How often a message is received before it is given up. */
  readonly maxReceiveCount: number;
  readonly log: ReturnType<typeof jobsLog>;
}

/** The handler of the producers' queue. */
export type AcceptJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** What becomes of a message: done with, or to come again. */
type Verdict = 'done' | 'again';

/** A message, and the event in it or why there is none. */
interface Intake {
  readonly record: SQSRecord;
  readonly event: JobEvent | AppError;
}

/**
 * Wires the function: CloudEvents of producers in, jobs out.
 *
 * What can't be understood or is refused ends among the dead letters with the reason: it would be refused each time.
 * What fails for reasons that pass comes again, and after its last time ends there too.
 */
export function createHandler(deps: AcceptJobsDeps): AcceptJobsHandler {
  return async ({ Records: records }) => {
    const verdicts = new Map<string, Verdict>();
    // SQS gives ten messages at most, so that all of them can be on their way at once, but for repeats of one event.
    const lanes = Map.groupBy(records.map(read), laneOf);
    await Promise.all([...lanes.values()].map((lane) => handleInTurn(lane, verdicts, deps)));
    const failed = records.filter(({ messageId }) => verdicts.get(messageId) !== 'done');
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

function read(record: SQSRecord): Intake {
  try {
    return { record, event: parseJobEvent(readBody(record.body)) };
  } catch (cause) {
    return { record, event: toAppError(cause) };
  }
}

function laneOf({ record, event }: Intake): string {
  return event instanceof AppError ? record.messageId : JSON.stringify([event.source, event.id]);
}

async function handleInTurn(lane: readonly Intake[], verdicts: Map<string, Verdict>, deps: AcceptJobsDeps) {
  for (const intake of lane) verdicts.set(intake.record.messageId, await handle(intake, deps));
}

async function handle(intake: Intake, deps: AcceptJobsDeps): Promise<Verdict> {
  const { record } = intake;
  try {
    await accept(intake, deps);
    return 'done';
  } catch (cause) {
    const error = toAppError(cause);
    const isLast = Number(record.attributes.ApproximateReceiveCount) >= deps.maxReceiveCount;
    if (!ERRORS[error.code].retryable || isLast) return park(record, error, deps);
    logAgain(record, error, deps);
    return 'again';
  }
}

async function accept({ record, event }: Intake, { resolve, submit, log }: AcceptJobsDeps): Promise<void> {
  if (event instanceof AppError) throw event;
  const owner = event.apiKeyId ?? PRODUCERS;
  // The body of the request as it was written: reading and writing it again would cut integers of 64 bits.
  const resolved = await resolveRequest(event.request, owner, jsonMember(record.body, 'data', 'body'), resolve);
  const { job, isDuplicate } = await submit({
    ...resolved,
    owner,
    id: jobIdOfEvent(sha256, event.source, event.id),
    hasNewId: false,
    ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
  });
  const metric = isDuplicate ? 'JobsDuplicate' : 'JobsSubmitted';
  log({ metric, model: job.model, details: { jobId: job.id, messageId: record.messageId } });
}

function readBody(body: string): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    const message = error instanceof AppError ? error.message : 'body is not valid JSON';
    throw new AppError('INVALID_EVENT', `the message must be one CloudEvent in structured mode: ${message}`);
  }
}

async function park(record: SQSRecord, error: AppError, deps: AcceptJobsDeps): Promise<Verdict> {
  const { code, message } = error;
  try {
    await deps.deadLetters.park(record, { code, message, sourceQueue: deps.jobsQueue });
    deps.log({ metric: 'DeadLetters', code, details: { messageId: record.messageId, error: message } });
    return 'done';
  } catch (cause) {
    // Its next receive tries again; past the last one SQS moves it to the same queue.
    logAgain(record, toAppError(cause), deps);
    return 'again';
  }
}

function logAgain({ messageId }: SQSRecord, { code, message }: AppError, { log }: AcceptJobsDeps): void {
  log({ code, details: { messageId, outcome: 'comes again', error: message } });
}
