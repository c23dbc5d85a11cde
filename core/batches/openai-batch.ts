import { toSeconds } from '../files/openai-file.ts';
import type { BatchRecord } from './batch-record.ts';

/** A batch as OpenAI's API shows one. */
export interface OpenAiBatch {
  readonly id: string;
  readonly object: 'batch';
  readonly endpoint: string;
  readonly model: string | null;
  readonly errors: {
    readonly object: 'list';
    readonly data: readonly {
      readonly code: string;
      readonly message: string;
      readonly param: string | null;
      readonly line: number | null;
    }[];
  } | null;
  readonly input_file_id: string;
  readonly completion_window: '24h';
  readonly status: BatchRecord['status'];
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  /** Seconds since the Unix epoch, as all times here. */
  readonly created_at: number;
  readonly in_progress_at: number | null;
  readonly expires_at: number;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** Shows a batch. */
export function openAiBatch(batch: BatchRecord): OpenAiBatch {
  const endedAt = (status: BatchRecord['status']) => (batch.status === status ? seconds(batch.endedAtMs) : null);
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    model: batch.model ?? null,
    errors: errorsOf(batch),
    input_file_id: batch.inputFileId,
    completion_window: '24h',
    status: batch.status,
    output_file_id: batch.outputFileId ?? null,
    error_file_id: batch.errorFileId ?? null,
    created_at: toSeconds(batch.createdAtMs),
    in_progress_at: seconds(batch.inProgressAtMs),
    expires_at: toSeconds(batch.windowEndsAtMs),
    finalizing_at: seconds(batch.finalizingAtMs),
    completed_at: endedAt('completed'),
    failed_at: endedAt('failed'),
    expired_at: endedAt('expired'),
    cancelling_at: seconds(batch.cancellingAtMs),
    cancelled_at: endedAt('cancelled'),
    request_counts: requestCounts(batch),
    metadata: Object.keys(batch.metadata).length === 0 ? null : batch.metadata,
  };
}

function errorsOf({ errors }: BatchRecord): OpenAiBatch['errors'] {
  if (errors.length === 0) return null;
  const data = errors.map(({ code, message, param = null, line = null }) => ({ code, message, param, line }));
  return { object: 'list', data };
}

/** A worker and the plan may disagree about a line. At the end, only lines that ran count. */
function requestCounts({ counts, requests, endedAtMs, status }: BatchRecord): OpenAiBatch['request_counts'] {
  const done = counts.completed + counts.failed;
  const isWhole = endedAtMs !== undefined && status !== 'failed';
  return { total: isWhole ? done : Math.max(requests, done), ...counts };
}

function seconds(milliseconds: number | undefined): number | null {
  return milliseconds === undefined ? null : toSeconds(milliseconds);
}
