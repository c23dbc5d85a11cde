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

const NOT_COMPLETE = '#status IN (:queued, :running)';
const INCOMPLETE = { ':queued': { S: 'queued' }, ':running': { S: 'running' } };

/** Starts a job. Writes the attributes that the submitter has not written yet. */
export function claimed(definition: JobDefinition, nowMs: number): Change {
  const entries = Object.entries(definitionItem(definition)).filter(([name]) => name !== JOBS_TABLE.partitionKey);
  const kept = entries.map(([name]) => `#${name} = if_not_exists(#${name}, :${name})`);
  const started = ['#status = :running', '#startedAtMs = if_not_exists(#startedAtMs, :now)'];
  return {
    update: `SET ${[...kept, ...started].join(', ')} ADD #attempts :one`,
    condition: `attribute_not_exists(#hash) OR (#hash = :hash AND ${NOT_COMPLETE} AND #expiresAtMs > :now)`,
    values: {
      ...Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
      ...INCOMPLETE,
      ...toItem({ ':now': nowMs, ':one': 1 }),
    },
  };
}

/** Completes a job, unless it is complete. */
export function finished(outcome: JobOutcome, nowMs: number): Change {
  const { status, items, version: ranVersion } = outcome;
  const members = outcome.status === 'succeeded' ? { result: outcome.result } : { error: outcome.error };
  const values = toItem({ status, endedAtMs: nowMs, ranVersion, items, ...members });
  return {
    update: `SET ${Object.keys(values)
      .map((name) => `#${name} = :${name}`)
      .join(', ')} REMOVE #lastError`,
    condition: NOT_COMPLETE,
    values: {
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      ...INCOMPLETE,
    },
  };
}

/** Cancels a job, unless it is complete or expired. */
export function canceled(nowMs: number): Change {
  return {
    update: 'SET #status = :canceled, #endedAtMs = :now REMOVE #lastError',
    condition: `${NOT_COMPLETE} AND #expiresAtMs > :now`,
    values: { ...INCOMPLETE, ...toItem({ ':canceled': 'canceled', ':now': nowMs }) },
  };
}

/** Records why an attempt failed, unless the job is complete. */
export function failedOnce(error: JobError): Change {
  return {
    update: 'SET #lastError = :error',
    condition: NOT_COMPLETE,
    values: { ...INCOMPLETE, ':error': toAttribute(error) },
  };
}

/** Records that every destination was notified of the completion. */
export function notified(nowMs: number): Change {
  return {
    update: 'SET #notifiedAtMs = :now',
    condition: `attribute_exists(#status) AND NOT (${NOT_COMPLETE})`,
    values: { ...INCOMPLETE, ...toItem({ ':now': nowMs }) },
  };
}

/** Queues a failed job again, once for each redrive. */
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

/** Returns the placeholders `#name` of expressions, with the names that they stand for. */
export function namesIn(...expressions: readonly string[]): Record<string, string> {
  const names = expressions.flatMap((expression) => expression.match(/#\w+/g) ?? []);
  return Object.fromEntries(names.map((name) => [name, name.slice(1)]));
}
