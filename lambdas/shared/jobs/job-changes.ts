import type { AttributeValue, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { ERRORS } from '../../../core/errors.ts';
import type { Redrive } from '../../../core/jobs/dead-letter.ts';
import {
  type Job,
  type JobDefinition,
  type JobError,
  type JobKey,
  type JobOutcome,
  type JobReference,
  retentionMsOf,
} from '../../../core/jobs/job.ts';
import type { ClaimOptions, FinishOptions, Notified } from '../../../core/jobs/job-store.ts';
import { JOBS_TABLE, jobsTableKeys } from '../../../core/jobs/jobs-table.ts';
import { DUE_ATTRIBUTES, dueAttributes, JOB_DUE_MS } from '../../../core/sweep/due.ts';
import { toAttribute, toItem } from '../aws/attribute-value.ts';
import {
  CLAIM,
  CLAIMED_AT,
  definitionItem,
  expirySeconds,
  jobItemKey,
  NOTIFIED,
  openJobExpiry,
  REDRIVES,
} from './job-item.ts';

/**
 * A conditional change to one item: expressions of DynamoDB, in which every attribute is `#` and its own name.
 *
 * Every condition compares the hash, so that no change affects another job with the same id. A job that is not complete
 * does not expire, so only conditions for complete jobs compare the time.
 */
export interface Change {
  readonly update: string;
  readonly condition: string;
  readonly values: Readonly<Record<string, AttributeValue>>;
}

/** Creates the write that makes a change to the record of a job. */
export function updateInput(table: string, key: JobKey, { update, condition, values }: Change): UpdateItemCommandInput {
  return {
    TableName: table,
    Key: jobItemKey(key),
    UpdateExpression: update,
    ConditionExpression: condition,
    ExpressionAttributeNames: namesIn(update, condition),
    ExpressionAttributeValues: values,
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
}

const { expiresAt } = JOBS_TABLE;

/** Attributes of a job that a sweep must look at. */
const NOT_DUE = DUE_ATTRIBUTES.map((name) => `#${name}`);

const NOT_COMPLETE = '#status IN (:queued, :running)';
const INCOMPLETE = { ':queued': { S: 'queued' }, ':running': { S: 'running' } };

/** This very job, not complete. */
const OPEN = `#hash = :hash AND ${NOT_COMPLETE}`;

function openValues({ hash }: JobReference) {
  return { ...INCOMPLETE, ':hash': { S: hash } };
}

/**
 * Returns the condition of a new record: there is none, an expired one, or the tombstone of a job that was submitted before.
 */
export function absent({ createdAtMs }: JobDefinition, nowMs: number): Pick<Change, 'condition' | 'values'> {
  return {
    condition: `attribute_not_exists(#hash) OR (${EXPIRED}) OR #deletedAtMs < :createdAtMs`,
    values: { ...INCOMPLETE, ...toItem({ ':now': nowMs, ':createdAtMs': createdAtMs }) },
  };
}

/** Returns the condition of a record that its owner may delete: its job is complete, and neither expired nor deleted. */
export function deletable(nowMs: number): Pick<Change, 'condition' | 'values'> {
  return {
    condition: `attribute_exists(#status) AND NOT ${NOT_COMPLETE} AND #expiresAtMs > :now`,
    values: { ...INCOMPLETE, ...toItem({ ':now': nowMs }) },
  };
}

/** Returns the condition of a tombstone that a new job replaces: the job was submitted after the deletion. */
export function replaceable({ createdAtMs }: JobDefinition): Pick<Change, 'condition' | 'values'> {
  return { condition: '#deletedAtMs < :createdAtMs', values: toItem({ ':createdAtMs': createdAtMs }) };
}

/** Returns the condition of a record that may be deleted: its job is complete, and its retention is over. */
export function expired(nowMs: number): Pick<Change, 'condition' | 'values'> {
  return { condition: EXPIRED, values: { ...INCOMPLETE, ...toItem({ ':now': nowMs }) } };
}

const EXPIRED = `NOT ${NOT_COMPLETE} AND #expiresAtMs <= :now`;

/**
 * Starts a job. Writes the attributes that the submitter has not written yet.
 *
 * @param mayCreate - Whether the record may be created if there is none.
 */
export function claimed(
  definition: JobDefinition,
  { claimId, maxTries }: ClaimOptions,
  nowMs: number,
  mayCreate: boolean,
): Change {
  const entries = Object.entries(definitionItem(definition)).filter(([name]) => name !== JOBS_TABLE.partitionKey);
  const kept = entries.map(([name]) => `#${name} = if_not_exists(#${name}, :${name})`);
  const started = [
    '#status = :running',
    '#startedAtMs = if_not_exists(#startedAtMs, :now)',
    `#${CLAIM} = :claim`,
    `#${CLAIMED_AT} = :now`,
    `#${expiresAt} = :ttl`,
  ];
  const isNew = `(attribute_not_exists(#${CLAIM}) OR #${CLAIM} <> :claim)`;
  const hasTries = '(attribute_not_exists(#tries) OR #tries < :maxTries)';
  const condition = `${OPEN} AND ${isNew} AND ${hasTries}`;
  return {
    update: `SET ${[...kept, ...started].join(', ')} REMOVE #lastError ADD #attempts :one, #tries :one`,
    condition: mayCreate ? `attribute_not_exists(#hash) OR (${condition})` : condition,
    values: {
      ...Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
      ...INCOMPLETE,
      ...toItem({ ':now': nowMs, ':one': 1, ':claim': claimId, ':maxTries': maxTries, ':ttl': openJobExpiry(nowMs) }),
    },
  };
}

/** Takes back the attempt of a claim, because a dependency is unavailable. */
export function released(job: JobReference, claimId: string, error: JobError, nowMs: number): Change {
  const waiting = '#lastError = :error, #waitingSinceMs = if_not_exists(#waitingSinceMs, :now)';
  return {
    update: `SET ${waiting} REMOVE #${CLAIM} ADD #attempts :minusOne, #tries :minusOne`,
    condition: `${OPEN} AND #${CLAIM} = :claim`,
    values: {
      ...openValues(job),
      ...toItem({ ':error': error, ':now': nowMs, ':claim': claimId, ':minusOne': -1 }),
    },
  };
}

/** Completes a job, unless it is complete. Its retention starts now. */
export function finished(
  job: JobReference,
  outcome: JobOutcome,
  nowMs: number,
  { seen, hasNoDestination = false }: FinishOptions = {},
): Change {
  const { status, items, version: ranVersion } = outcome;
  const members = outcome.status === 'succeeded' ? { result: outcome.result } : { error: outcome.error };
  const attempt = outcome.status === 'failed' ? outcome.attempt : undefined;
  const expected = seen ?? (attempt === undefined ? undefined : { status: 'running', attempts: attempt });
  const end = endOf(job, nowMs);
  const due = hasNoDestination ? dueOf({ ...job, ...outcome, ...end }) : undefined;
  const marks = due === undefined ? {} : { notifiedAtMs: nowMs, ...due.set };
  const values = toItem({ status, ranVersion, items, ...members, ...end, ...marks });
  const removed = ['#lastError', '#waitingSinceMs', ...(due?.removed ?? [])];
  return {
    update: `SET ${Object.keys(values)
      .map((name) => `#${name} = :${name}`)
      .join(', ')} REMOVE ${removed.join(', ')}`,
    condition: expected === undefined ? OPEN : `${OPEN} AND #status = :seenStatus AND #attempts = :seenAttempts`,
    values: {
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      ...openValues(job),
      ...(expected === undefined ? {} : toItem({ ':seenStatus': expected.status, ':seenAttempts': expected.attempts })),
    },
  };
}

/** Cancels a job, unless it is complete. Its retention starts now. */
export function canceled(job: JobReference, nowMs: number): Change {
  const end = endOf(job, nowMs);
  const ends = Object.keys(end).map((name) => `#${name} = :${name}`);
  return {
    update: `SET #status = :canceled, ${ends.join(', ')} REMOVE #lastError, #waitingSinceMs`,
    condition: OPEN,
    values: {
      ...openValues(job),
      ...toItem({
        ':canceled': 'canceled',
        ...Object.fromEntries(Object.entries(end).map(([name, at]) => [`:${name}`, at])),
      }),
    },
  };
}

/** The attributes of the end of a job. */
function endOf(job: JobReference, nowMs: number) {
  const expiresAtMs = nowMs + retentionMsOf(job);
  return { endedAtMs: nowMs, expiresAtMs, [expiresAt]: expirySeconds(expiresAtMs) };
}

/** Records why an attempt failed, unless the job is complete. */
export function failedOnce(job: JobReference, error: JobError): Change {
  return {
    update: 'SET #lastError = :error REMOVE #waitingSinceMs',
    condition: OPEN,
    values: { ...openValues(job), ':error': toAttribute(error) },
  };
}

/** Time after the expiry in which the sweep deletes the objects and the record, before DynamoDB deletes the record. */
const SWEEP_MS = 2 * 86_400_000;

/**
 * Records destinations that were notified of one end of a job: a job that was redriven since ends again. Once all are
 * notified, no sweep has to look at the job until it expires, and then only to delete its objects.
 */
export function notified(job: Job, { kinds, isComplete }: Notified, nowMs: number): Change {
  const { hash, status, endedAtMs } = job;
  const { set, removed } = dueOf(job);
  const due = Object.entries(set);
  const complete = ['#notifiedAtMs = :now', ...due.map(([name]) => `#${name} = :${name}`)].join(', ');
  return {
    update: `${isComplete ? `SET ${complete} REMOVE ${removed.join(', ')} ` : ''}ADD #${NOTIFIED} :kinds`,
    condition: '#hash = :hash AND #status = :status AND #endedAtMs = :endedAtMs',
    values: {
      ...toItem({
        ':hash': hash,
        ':status': status,
        // A job that is not complete has no such time, and matches nothing.
        ':endedAtMs': endedAtMs ?? 0,
        ...(isComplete ? { ':now': nowMs } : {}),
        ...Object.fromEntries(isComplete ? due.map(([name, value]) => [`:${name}`, value]) : []),
      }),
      ':kinds': { SS: [...kinds] },
    },
  };
}

/** A complete job, as far as a sweep needs it. */
type CompleteJob = Pick<Job, 'owner' | 'id' | 'status' | 'expiresAtMs' | 'result' | 'storesInput' | 'error'>;

/** When a sweep looks at a job whose destinations are all notified: at its expiry if it has objects, otherwise never. */
function dueOf(job: CompleteJob) {
  return hasObjects(job)
    ? { set: dueAtExpiry(job), removed: [`#${JOBS_TABLE.observation}`] }
    : { set: {}, removed: NOT_DUE };
}

/**
 * Returns whether the bucket holds objects that nothing needs once the job has expired. A redriven dead letter needs its input.
 */
function hasObjects({ result, storesInput, status, error }: CompleteJob): boolean {
  const mayBeRedriven = status === 'failed' && error !== undefined && ERRORS[error.code].retryable;
  return result?.kind === 'payload' || (storesInput === true && !mayBeRedriven);
}

function dueAtExpiry(job: CompleteJob) {
  const { expiresAtMs } = job;
  return {
    ...dueAttributes(jobsTableKeys.job(job), expiresAtMs),
    [expiresAt]: expirySeconds(expiresAtMs + SWEEP_MS),
  };
}

/** Queues a failed job again, once for each redrive. A sweep looks at it as at a new job. */
export function reopened(definition: JobDefinition, { id }: Redrive, nowMs: number): Change {
  const due = Object.entries(dueAttributes(jobsTableKeys.job(definition), nowMs + JOB_DUE_MS));
  const isDue = due.map(([name]) => `#${name} = :${name}`).join(', ');
  return {
    update: `SET #status = :queued, #reopenedAtMs = :now, ${isDue}, #expiresAtMs = :expiresAtMs, #${expiresAt} = :ttl REMOVE #endedAtMs, #error, #lastError, #notifiedAtMs, #${NOTIFIED}, #tries, #${CLAIM} ADD #${REDRIVES} :redrives`,
    condition: `#hash = :hash AND #status = :failed AND #expiresAtMs > :now AND NOT contains(#${REDRIVES}, :redrive)`,
    values: {
      ...toItem({
        ':hash': definition.hash,
        ':queued': 'queued',
        ':failed': 'failed',
        ':redrive': id,
        ':expiresAtMs': definition.expiresAtMs,
        ':ttl': openJobExpiry(nowMs),
        ':now': nowMs,
        ...Object.fromEntries(due.map(([name, value]) => [`:${name}`, value])),
      }),
      ':redrives': { SS: [id] },
    },
  };
}

/** Returns the placeholders `#name` of expressions, with the names that they stand for. */
export function namesIn(...expressions: readonly string[]): Record<string, string> {
  const names = expressions.flatMap((expression) => expression.match(/#\w+/g) ?? []);
  return Object.fromEntries(names.map((name) => [name, name.slice(1)]));
}
