import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Clock } from '../../core/clock.ts';
import { AppError, ERRORS } from '../../core/errors.ts';
import type { Grants } from '../../core/identity/grants.ts';
import { type JobEvent, parseJobEvent } from '../../core/jobs/cloud-event.ts';
import { PRODUCERS } from '../../core/jobs/job.ts';
import { jobIdOfEvent } from '../../core/jobs/job-id.ts';
import { isLastingDefect, MAX_OUTAGE_MS } from '../../core/jobs/outage.ts';
import { parseJson } from '../../core/json/json.ts';
import { jsonMember } from '../../core/json/json-member.ts';
import { type ResolveDeps, resolveRequest } from '../shared/jobs/resolve-request.ts';
import type { Submit } from '../shared/jobs/submit-job.ts';
import { type DeadLetters, moveToDeadLetters } from '../shared/queue/dead-letters.ts';
import { handleEach, type Verdict } from '../shared/queue/handle-each.ts';
import { waitByVisibility } from '../shared/queue/requeue.ts';
import type { WorkQueue } from '../shared/queue/sqs-work-queue.ts';
import { sha256 } from '../shared/sha256.ts';
import { describeError } from '../shared/telemetry/describe-error.ts';
import type { JobsLog } from '../shared/telemetry/jobs-line.ts';

/** Dependencies of the function. */
export interface AcceptJobsDeps {
  readonly resolve: ResolveDeps;
  /** Resources that the jobs of producers may use. */
  readonly grants: Grants;
  readonly submit: Submit;
  readonly deadLetters: DeadLetters;
  /** The queue that the messages come from. */
  readonly queue: Pick<WorkQueue, 'url' | 'hold' | 'letGo' | 'setVisibility'>;
  readonly clock: Clock;
  /** Returns a number from 0 up to but not including 1. */
  readonly random: () => number;
  readonly log: JobsLog<'accept-jobs'>;
}

/** The handler of the producers' queue. */
export type AcceptJobsHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * Creates the handler: it turns CloudEvents of producers into jobs.
 *
 * An event that is invalid or refused moves to the dead letters with the reason, because it would be refused each time.
 * A transient failure is retried with a delay that grows to 5 minutes. After 24 hours the message moves to the dead letters
 * too, and after 8 tries if the failure is a defect of this product.
 */
export function createHandler(deps: AcceptJobsDeps): AcceptJobsHandler {
  return (event) =>
    handleEach(event, {
      queue: deps.queue,
      read: ({ body }) => parseJobEvent(readBody(body)),
      // SQS delivers at most ten messages, so all of them can run concurrently, except for repeats of one event.
      laneOf: ({ source, id }) => JSON.stringify([source, id]),
      handle: (jobEvent, record) => accept(jobEvent, record, deps),
      onError: ({ error, record }) => retryOrMove(record, error, deps),
    });
}

function readBody(body: string): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    const message = error instanceof AppError ? error.message : 'body is not valid JSON';
    throw new AppError('INVALID_EVENT', `the message must be one CloudEvent in structured mode: ${message}`);
  }
}

async function accept(
  event: JobEvent,
  record: SQSRecord,
  { resolve, grants, submit, log }: AcceptJobsDeps,
): Promise<Verdict> {
  const owner = event.tenant ?? PRODUCERS;
  // The body of the request is kept as it was written: parsing it would round 64-bit integers.
  const resolved = await resolveRequest(
    event.request,
    { owner, grants },
    jsonMember(record.body, 'data', 'body'),
    resolve,
  );
  const { job, isDuplicate } = await submit({
    ...resolved,
    owner,
    id: jobIdOfEvent(sha256, event.source, event.id),
    hasNewId: false,
    via: 'producer',
    sentAtMs: Number(record.attributes.SentTimestamp),
    traceparent: event.traceparent,
  });
  const metric = isDuplicate ? 'JobsDuplicate' : 'JobsSubmitted';
  log({ metric, model: job.model, details: { jobId: job.id, messageId: record.messageId } });
  return 'done';
}

async function retryOrMove(record: SQSRecord, error: AppError, deps: AcceptJobsDeps): Promise<Verdict> {
  const { queue, deadLetters, clock, random, log } = deps;
  const { ApproximateFirstReceiveTimestamp: firstReceivedMs, ApproximateReceiveCount: receives } = record.attributes;
  const mayPass = ERRORS[error.code].retryable && !isLastingDefect(error, Number(receives));
  if (mayPass && clock.now() - Number(firstReceivedMs) < MAX_OUTAGE_MS) {
    logRetry(record, error, deps);
    return waitByVisibility(record, queue, random);
  }
  const onFailure = (failure: AppError) => logRetry(record, failure, deps);
  const verdict = await moveToDeadLetters(record, error, { deadLetters, sourceQueue: queue.url, onFailure });
  if (verdict === 'done') {
    const { messageId } = record;
    log({ metric: 'DeadLetters', code: error.code, error: describeError(error), details: { messageId } });
  }
  return verdict;
}

function logRetry({ messageId }: SQSRecord, error: AppError, { log }: AcceptJobsDeps): void {
  log({ code: error.code, error: describeError(error), details: { messageId, outcome: 'will be retried' } });
}
