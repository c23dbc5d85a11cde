import { describe, expect, it } from '@jest/globals';
import type { AppError } from '../../../core/errors.ts';
import { JOB_EVENT_TYPE, parseJobEvent } from '../../../core/jobs/cloud-event.ts';
import { appErrorOf } from '../app-error-of.ts';

const DATA = { endpoint: '/v1/embeddings', body: { input: 'a' } };

const EVENT = { specversion: '1.0', id: '1', source: '/shop', type: JOB_EVENT_TYPE, data: DATA };

function without(name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(EVENT).filter(([key]) => key !== name));
}

function failureOf(value: unknown): AppError {
  return appErrorOf(() => parseJobEvent(value));
}

describe('an event of a producer', () => {
  it('needs only the attributes that CloudEvents requires', () => {
    expect(parseJobEvent(EVENT)).toEqual({ id: '1', source: '/shop', request: DATA });
  });

  it('contains the owner of the job and its trace', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(parseJobEvent({ ...EVENT, apikeyid: 'k1', traceparent })).toMatchObject({ tenant: 'k1', traceparent });
  });

  it('names the tenant of the job, before the earlier name of the attribute', () => {
    expect(parseJobEvent({ ...EVENT, tenant: 'acme' })).toMatchObject({ tenant: 'acme' });
    expect(parseJobEvent({ ...EVENT, tenant: 'acme', apikeyid: 'k1' })).toMatchObject({ tenant: 'acme' });
    expect(parseJobEvent({ ...EVENT, tenant: null, apikeyid: 'k1' })).toMatchObject({ tenant: 'k1' });
  });

  it.each([
    ['times with an offset', { time: '2026-11-24T04:05:06.7+01:00' }],
    ['times in lower case', { time: '2026-11-24t04:05:06z' }],
    ['a subject and a schema', { subject: 'order 7', dataschema: 'https://example.com/job.json' }],
    ['a charset', { datacontenttype: 'application/json; charset=utf-8' }],
    ['media types that end with +json', { datacontenttype: 'application/vnd.shop+json' }],
    ['optional attributes that are null', { time: null, subject: null, datacontenttype: null, apikeyid: null }],
    ['extensions that it does not know, whatever their type', { partitionkey: 'a', sampledrate: 3, tested: true }],
    ['ids of 256 characters', { id: 'x'.repeat(256) }],
  ])('may have %s', (_what, attributes) => {
    expect(parseJobEvent({ ...EVENT, ...attributes })).toEqual({
      id: 'id' in attributes ? attributes.id : '1',
      source: '/shop',
      request: DATA,
    });
  });

  it.each([
    ['it is a list: CloudEvents has a batch mode', [EVENT], 'one message must be one CloudEvent'],
    ['it is a text', 'hello', 'must be a JSON object'],
    ['it is null', null, 'must be a JSON object'],
    ['it is a number', 7, 'must be a JSON object'],
    ['it is an empty object', {}, 'specversion'],
    ['it is a job request without an event around it', DATA, 'specversion'],
    ['specversion is missing', without('specversion'), 'specversion'],
    ['specversion is 0.3', { ...EVENT, specversion: '0.3' }, 'must be "1.0"'],
    ['specversion is a number', { ...EVENT, specversion: 1 }, 'must be "1.0"'],
    ['id is missing', without('id'), 'id: '],
    ['id is empty', { ...EVENT, id: '' }, '1 to 256 characters'],
    ['id is too long', { ...EVENT, id: 'x'.repeat(257) }, '1 to 256 characters'],
    ['id is a number', { ...EVENT, id: 7 }, '1 to 256 characters'],
    ['source is missing', without('source'), 'source: '],
    ['source holds a space', { ...EVENT, source: 'my shop' }, 'URI reference'],
    ['source is empty', { ...EVENT, source: '' }, 'URI reference'],
    ['type is missing', without('type'), 'type: '],
    ['type is that of another event', { ...EVENT, type: 'com.example.order' }, `must be ${JOB_EVENT_TYPE}`],
    ['type is a number', { ...EVENT, type: 1 }, `must be ${JOB_EVENT_TYPE}`],
    ['time is a number', { ...EVENT, time: 1_750_000_000 }, 'RFC 3339'],
    ['time has no zone', { ...EVENT, time: '2026-11-24T04:05:06' }, 'RFC 3339'],
    ['subject is empty', { ...EVENT, subject: '' }, 'must not be empty'],
    ['data is declared to be something else than JSON', { ...EVENT, datacontenttype: 'text/xml' }, 'application/json'],
    ['apikeyid cannot be the id of a tenant', { ...EVENT, apikeyid: 'a/b' }, 'id of a tenant'],
    ['tenant cannot be the id of a tenant', { ...EVENT, tenant: 'a/b' }, 'id of a tenant'],
    ['traceparent is malformed', { ...EVENT, traceparent: 'yes' }, 'W3C traceparent'],
    ['data is missing', without('data'), 'data is missing'],
    ['data is base64', { ...without('data'), data_base64: 'e30=' }, 'data_base64'],
    ['an attribute has capital letters', { ...EVENT, apiKeyId: 'k1' }, 'lower-case letters and digits'],
  ])('fails with INVALID_EVENT when %s', (_what, value, message) => {
    const error = failureOf(value);
    expect(error.code).toBe('INVALID_EVENT');
    expect(error.message).toContain(message);
  });

  it('reports every problem together', () => {
    const { message } = failureOf({ ...EVENT, id: '', source: '', specversion: '2.0' });
    expect(message).toContain('3 problems');
  });

  it.each(['tensorgate.job.v2', 'tensorgate.job.v10', 'tensorgate.job.v0'])(
    'fails with UNSUPPORTED_VERSION when its type is %s, whatever else is in it',
    (type) => {
      expect(failureOf({ type, data: [] })).toMatchObject({ code: 'UNSUPPORTED_VERSION', param: 'type' });
    },
  );

  it.each([
    ['null', null, 'endpoint, body'],
    ['a list', [], 'endpoint: is missing'],
    ['a text of JSON', JSON.stringify(DATA), 'endpoint, body'],
    ['no request', {}, 'endpoint'],
    ['a request without an endpoint', { body: {} }, 'endpoint'],
    ['an endpoint that is not a path', { endpoint: 'embeddings', body: {} }, 'must be the path of an inference route'],
    ['no input', { endpoint: '/v1/embeddings' }, 'exactly one of'],
    ['two inputs', { ...DATA, input_s3: 's3://bucket/key' }, 'exactly one of'],
    ['a body that is a text', { ...DATA, body: 'a' }, 'the JSON object that the route takes'],
    ['a file id that is none', { endpoint: '/v1/embeddings', input_file_id: 'f1' }, 'the id of a file'],
    ['an input that is not in S3', { endpoint: '/v1/embeddings', input_s3: 'https://a.b/c' }, 's3://bucket/key'],
    ['a webhook that is not a URL', { ...DATA, webhook_url: 'here' }, 'must be a URL'],
    ['the URL of a queue', { ...DATA, reply_queue: 'https://sqs/1/answers' }, 'the name of a reply queue'],
    ['an event bus by its name', { ...DATA, event_bus: 'main' }, 'must be true or false'],
    ['a member that is not known', { ...DATA, callback: 'a' }, 'is not a known key'],
  ])('fails with INVALID_BODY when its data is %s', (_what, data, message) => {
    const error = failureOf({ ...EVENT, data });
    expect(error.code).toBe('INVALID_BODY');
    expect(error.message).toContain(message);
  });
});
