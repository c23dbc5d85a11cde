import * as v from 'valibot';
import { AppError } from '../errors.ts';
import { openRequest, text } from '../parse.ts';
import { parseInput } from '../parse-input.ts';
import { type JobRequest, jobRequestSchema, parseJobRequest } from './job-request.ts';

/** Type of the events that submit a job; a layout that old readers misread gets the next number. */
export const JOB_EVENT_TYPE = 'tensorgate.job.v1';

/** Types of other versions than this one. */
const OTHER_VERSION = /^tensorgate\.job\.v\d+$/;

/** Names of attributes (CloudEvents 1.0, "Attribute Naming Convention"). */
const ATTRIBUTE_NAME = /^[a-z0-9]+$/;

const optionalText = v.optional(v.pipe(v.string('must be a string'), v.minLength(1, 'must not be empty')));

/** The attributes of an event (CloudEvents 1.0.2, JSON format); those that are not listed are extensions. */
const attributes = {
  specversion: v.literal('1.0', 'must be "1.0"'),
  id: text(/^[\s\S]{1,256}$/, 'a string of 1 to 256 characters'),
  source: text(/^\S{1,1024}$/, 'a URI reference of 1 to 1024 characters'),
  type: v.literal(JOB_EVENT_TYPE, `must be ${JOB_EVENT_TYPE}`),
  time: v.optional(text(/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/, 'an RFC 3339 time')),
  subject: optionalText,
  dataschema: optionalText,
  datacontenttype: v.optional(
    text(/^application\/(?:[\w.-]+\+)?json\s*(?:;.*)?$/i, 'application/json, which is the media type of data'),
  ),
  /** Extension: tenant whose callers may read the job. */
  tenant: v.optional(text(/^[A-Za-z0-9_-]{1,64}$/, 'the id of a tenant: 1 to 64 letters, digits, - and _')),
  /** Extension: an earlier name of `tenant`, which still works; without configured tenants, the id of an API key. */
  apikeyid: v.optional(text(/^[A-Za-z0-9_-]{1,64}$/, 'the id of a tenant: 1 to 64 letters, digits, - and _')),
  /** Extension: W3C trace context (CloudEvents, "Distributed Tracing"). */
  traceparent: v.optional(text(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, 'a W3C traceparent')),
};

/** Schema of the attributes of an event. */
export const eventAttributes = openRequest(attributes, 'must be a JSON object: one CloudEvent in structured mode');

/** Body of a message in the producer queue: one CloudEvent. */
export const jobEventSchema = openRequest({ ...attributes, data: jobRequestSchema });

/** A job as a producer submits it. */
export interface JobEvent {
  readonly id: string;
  readonly source: string;
  /** Tenant that the job belongs to. */
  readonly tenant?: string;
  readonly traceparent?: string;
  readonly request: JobRequest;
}

/**
 * Reads an event in CloudEvents' structured JSON mode.
 *
 * @param value - The parsed body of the message.
 * @throws AppError `INVALID_EVENT` that lists every wrong attribute, `UNSUPPORTED_VERSION` when the type has another
 * version, `INVALID_BODY` if its data is not a job request.
 */
export function parseJobEvent(value: unknown): JobEvent {
  checkKind(value);
  const event = parseInput(eventAttributes, value, 'the event', 'INVALID_EVENT');
  checkNames(Object.keys(event));
  const { id, source, traceparent } = event;
  const tenant = event.tenant ?? event.apikeyid;
  return {
    id,
    source,
    ...(typeof tenant === 'string' ? { tenant } : {}),
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
    request: parseJobRequest(event['data']),
  };
}

function checkKind(value: unknown): void {
  if (Array.isArray(value)) {
    throw new AppError('INVALID_EVENT', 'the message is a list, but one message must be one CloudEvent');
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return;
  if (typeof value.type === 'string' && OTHER_VERSION.test(value.type) && value.type !== JOB_EVENT_TYPE) {
    throw new AppError('UNSUPPORTED_VERSION', `type must be ${JOB_EVENT_TYPE}, got that of another version`, {
      param: 'type',
    });
  }
}

function checkNames(names: readonly string[]): void {
  if (names.includes('data_base64')) {
    throw new AppError('INVALID_EVENT', 'data_base64 is not read here, data must be a JSON object', {
      param: 'data_base64',
    });
  }
  if (!names.includes('data')) throw new AppError('INVALID_EVENT', 'data is missing', { param: 'data' });
  if (names.every((name) => ATTRIBUTE_NAME.test(name))) return;
  throw new AppError('INVALID_EVENT', 'names of attributes must be lower-case letters and digits');
}
