import type { Job } from './job.ts';
import { PRODUCERS } from './job.ts';
import { renderJob } from './job-resource.ts';

/** `Source` of the events on the event bus. */
export const JOB_EVENT_SOURCE = 'tensorgate.jobs';

/** What a {@link jobCloudEvent} needs beside the job. */
export interface JobEventOptions {
  readonly stage: string;
  /** Most bytes of a result that comes along. */
  readonly maxResultBytes: number;
  /** The result, where it does not lie in the record. */
  readonly resultText?: string;
  /** Where the result is to be had, where it is too large to come along. */
  readonly resultUrl?: string;
}

/**
 * Writes the end of a job as a CloudEvent (CloudEvents 1.0.2, JSON format), whose data is the job as callers see it.
 *
 * @returns JSON text; a result in it is the text that the model answered.
 */
export function jobCloudEvent(job: Job, options: JobEventOptions): string {
  const { owner, id, status, traceparent, endedAtMs = job.createdAtMs } = job;
  const envelope = JSON.stringify({
    specversion: '1.0',
    id: `${id}-${status}-${endedAtMs}`,
    source: `/tensorgate/${options.stage}/jobs`,
    type: `tensorgate.job.${status}.v1`,
    subject: id,
    time: new Date(endedAtMs).toISOString(),
    datacontenttype: 'application/json',
    ...(owner === PRODUCERS ? {} : { tenant: owner, apikeyid: owner }),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  return `${envelope.slice(0, -1)},"data":${dataOf(job, options)}}`;
}

function dataOf(job: Job, { maxResultBytes, resultText, resultUrl }: JobEventOptions): string {
  const view = { baseUrl: job.baseUrl ?? '', ...(resultUrl === undefined ? {} : { resultUrl }) };
  const { result, ...rest } = job;
  if (result === undefined) return renderJob(job, view);
  const text = result.kind === 'inline' ? result.json : resultText;
  if (text !== undefined && new TextEncoder().encode(text).length <= maxResultBytes) {
    return renderJob({ ...rest, result: { kind: 'inline', json: text } }, view);
  }
  return renderJob(resultUrl === undefined ? rest : job, view);
}
