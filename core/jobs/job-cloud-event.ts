import type { InlineBody } from './inline-body.ts';
import type { Job } from './job.ts';
import { PRODUCERS } from './job.ts';
import { renderJob } from './job-resource.ts';

/** `Source` of the events on the event bus. */
export const JOB_EVENT_SOURCE = 'tensorgate.jobs';

/** Settings of a {@link jobCloudEvent}. */
export interface JobEventOptions {
  readonly stage: string;
  /** Maximum size of a result inside the event, in bytes. */
  readonly maxResultBytes: number;
  /** The result, if it is not in the record. */
  readonly result?: InlineBody;
  /** Address of a result that is too large for the event. */
  readonly resultUrl?: string;
}

/**
 * Writes the end of a job as a CloudEvent (CloudEvents 1.0.2, JSON format), whose data is the job as callers see it.
 *
 * @returns JSON text. A JSON result in it is the text that the model returned.
 */
export function jobCloudEvent(job: Job, options: JobEventOptions): string {
  const { owner, id, status, via, traceparent, endedAtMs = job.createdAtMs } = job;
  const envelope = JSON.stringify({
    specversion: '1.0',
    id: `${id}-${status}-${endedAtMs}`,
    source: `/tensorgate/${options.stage}/jobs`,
    type: `tensorgate.job.${status}.v1`,
    subject: id,
    time: new Date(endedAtMs).toISOString(),
    datacontenttype: 'application/json',
    via,
    ...(owner === PRODUCERS ? {} : { tenant: owner, apikeyid: owner }),
    traceparent,
  });
  return `${envelope.slice(0, -1)},"data":${dataOf(job, options)}}`;
}

function dataOf(job: Job, { maxResultBytes, result: stored, resultUrl }: JobEventOptions): string {
  const view = { baseUrl: job.baseUrl ?? '', resultUrl };
  const { result, ...rest } = job;
  if (result === undefined) return renderJob(job, view);
  const body = result.kind === 'inline' ? result : stored;
  if (body !== undefined && sizeOf(body) <= maxResultBytes) {
    return renderJob({ ...rest, result: { ...body, kind: 'inline' } }, view);
  }
  return renderJob(resultUrl === undefined ? rest : job, view);
}

/** Bytes that a result takes inside an event. */
function sizeOf(body: InlineBody): number {
  return 'json' in body ? new TextEncoder().encode(body.json).length : body.base64.length;
}
