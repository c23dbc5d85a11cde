import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { JobDefinition, JobError, JobOutcome } from '../../../core/jobs/job.ts';
import { JOBS_TABLE } from '../../../core/jobs/jobs-table.ts';
import { toAttribute, toItem } from '../aws/attribute-value.ts';
import { definitionItem, REDRIVES } from './job-item.ts';

/** A conditional change to one item: expressions of DynamoDB, in which every attribute is `#` and its own name. */
export interface Change {
  readonly update: string;
  readonly condition: string;
  readonly values: Readonly<Record<string, AttributeValue>>;
}

const NOT_ENDED = '#status IN (:queued, :running)';
const UNENDED = { ':queued': { S: 'queued' }, ':running': { S: 'running' } };

/** Begins a job; writes what the submitter has not yet written. */
export function claimed(definition: JobDefinition, nowMs: number): Change {
  const entries = Object.entries(definitionItem(definition)).filter(([name]) => name !== JOBS_TABLE.partitionKey);
  const kept = entries.map(([name]) => `#${name} = if_not_exists(#${name}, :${name})`);
  const begun = ['#status = :running', '#startedAtMs = if_not_exists(#startedAtMs, :now)'];
  return {
    update: `SET ${[...kept, ...begun].join(', ')} ADD #attempts :one`,
    condition: `attribute_not_exists(#hash) OR (#hash = :hash AND ${NOT_ENDED} AND #expiresAtMs > :now)`,
    values: {
      ...Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
      ...UNENDED,
      ...toItem({ ':now': nowMs, ':one': 1 }),
    },
  };
}

/** Ends a job, unless it has ended. */
export function finished(outcome: JobOutcome, nowMs: number): Change {
  const { status, items, version: ranVersion } = outcome;
  const told = outcome.status === 'succeeded' ? { result: outcome.result } : { error: outcome.error };
  const values = toItem({ status, endedAtMs: nowMs, ranVersion, items, ...told });
  return {
    update: `SET ${Object.keys(values)
      .map((name) => `#${name} = :${name}`)
      .join(', ')} REMOVE #lastError`,
    condition: NOT_ENDED,
    values: { ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])), ...UNENDED },
  };
}

/** Cancels a job, unless it has ended or is gone. */
export function canceled(nowMs: number): Change {
  return {
    update: 'SET #status = :canceled, #endedAtMs = :now REMOVE #lastError',
    condition: `${NOT_ENDED} AND #expiresAtMs > :now`,
    values: { ...UNENDED, ...toItem({ ':canceled': 'canceled', ':now': nowMs }) },
  };
}

/** Keeps why an attempt failed, unless the job has ended. */
export function failedOnce(error: JobError): Change {
  return {
    update: 'SET #lastError = :error',
    condition: NOT_ENDED,
    values: { ...UNENDED, ':error': toAttribute(error) },
  };
}

/** Notes that everybody was told of the end. */
export function notified(nowMs: number): Change {
  return {
    update: 'SET #notifiedAtMs = :now',
    condition: `attribute_exists(#status) AND NOT (${NOT_ENDED})`,
    values: { ...UNENDED, ...toItem({ ':now': nowMs }) },
  };
}

/** Lets a failed job wait again, once for each redrive. */
export function reopened(redriveId: string): Change {
  return {
    update: `SET #status = :queued REMOVE #endedAtMs, #error, #lastError, #notifiedAtMs ADD #${REDRIVES} :redrives`,
    condition: `#status = :failed AND NOT contains(#${REDRIVES}, :redrive)`,
    values: {
      ...toItem({ ':queued': 'queued', ':failed': 'failed', ':redrive': redriveId }),
      ':redrives': { SS: [redriveId] },
    },
  };
}

/** The placeholders `#name` in some expressions, with what they stand for. */
export function namesIn(...expressions: readonly string[]): Record<string, string> {
  const names = expressions.flatMap((expression) => expression.match(/#\w+/g) ?? []);
  return Object.fromEntries(names.map((name) => [name, name.slice(1)]));
}
