import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { batchRequest, parseBatchRequest } from '../../core/batches/batch-request.ts';
import { AppError } from '../../core/errors.ts';
import {
  completeRequest,
  declaredFile,
  parseCompleteRequest,
  parseDeclaredFile,
  parseSentFile,
  parseUploadRequest,
  sentFile,
  uploadRequest,
} from '../../core/files/file-request.ts';
import { eventAttributes, parseJobEvent } from '../../core/jobs/cloud-event.ts';
import { parseJobRequest } from '../../core/jobs/job-request.ts';
import { parseWorkMessage } from '../../core/jobs/work-message.ts';
import { decodeInferRequest } from '../../core/protocols/open-inference/json.ts';
import { decodeOpenAiEmbeddings } from '../../core/tasks/embedding/openai-embeddings.ts';
import { decodeTextInstances } from '../../core/tasks/embedding/text-instances.ts';
import { readInstances } from '../../core/tasks/tensor/tensor-instances.ts';
import { parseSubscriptionRequest, subscriptionRequest } from '../../core/webhooks/subscription.ts';
import { changed, placesIn, withMember } from '../security/altered.ts';

/** A request that callers send, and how it is read. */
interface Subject {
  readonly parse: (value: unknown) => unknown;
  /** An example with every member that the request can have. */
  readonly full: Readonly<Record<string, unknown>>;
  /** Members of the schema, if there is one: the example must have them all. */
  readonly members?: Readonly<Record<string, unknown>>;
}

const EXPIRY = { anchor: 'created_at', seconds: 3600 };
const FILE = { filename: 'a.jsonl', purpose: 'batch', expires_after: EXPIRY };
const MD5 = 'd'.repeat(32);
const JOB = {
  endpoint: '/v1/embeddings',
  body: { input: 'a' },
  webhook_url: 'https://hooks.shop.com/',
  reply_queue: 'replies',
  event_bus: true,
};
const EVENT = {
  specversion: '1.0',
  id: '1',
  source: '/shop',
  type: 'tensorgate.job.v1',
  time: '2026-11-28T00:00:00Z',
  subject: 's',
  dataschema: 'd',
  datacontenttype: 'application/json',
  tenant: 'shop',
  apikeyid: 'key',
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  data: JOB,
};
const LIMITS = { maxItems: 9, dimensions: 4, matryoshka: true, truncation: 'none' } as const;
const TENSOR = { name: 'x', datatype: 'FP32', shape: [1], parameters: { a: 1 }, data: [1] };

const SUBJECTS: Readonly<Record<string, Subject>> = {
  'a declared file': { parse: parseDeclaredFile, full: { ...FILE, bytes: 1 }, members: declaredFile.entries },
  'a form with a file': { parse: parseSentFile, full: FILE, members: sentFile.entries },
  'an upload': {
    parse: parseUploadRequest,
    full: { ...FILE, bytes: 1, mime_type: 'application/jsonl' },
    members: uploadRequest.entries,
  },
  'the end of an upload': {
    parse: parseCompleteRequest,
    full: { part_ids: [`part_${'0'.repeat(26)}`], md5: MD5 },
    members: completeRequest.entries,
  },
  'a batch': {
    parse: parseBatchRequest,
    full: {
      input_file_id: 'file-1',
      endpoint: '/v1/embeddings',
      completion_window: '24h',
      metadata: { a: 'b' },
      output_expires_after: EXPIRY,
      cache_control: 'no-store',
    },
    members: batchRequest.entries,
  },
  'a job': { parse: parseJobRequest, full: JOB },
  'a job of a file': { parse: parseJobRequest, full: { endpoint: '/v1/embeddings', input_file_id: 'file-1' } },
  'a job of an object': { parse: parseJobRequest, full: { endpoint: '/v1/embeddings', input_s3: 's3://bucket/key' } },
  'an event': { parse: parseJobEvent, full: EVENT, members: { ...eventAttributes.entries, data: undefined } },
  'a webhook': {
    parse: parseSubscriptionRequest,
    full: { url: 'https://hooks.shop.com/', events: ['job.succeeded'] },
    members: subscriptionRequest.entries,
  },
  embeddings: {
    parse: (value) => decodeOpenAiEmbeddings(value, LIMITS),
    full: { model: 'm', input: 'a', encoding_format: 'base64', dimensions: 2, truncate: true, user: 'u' },
  },
  'a predict request of texts': {
    parse: (value) => decodeTextInstances(value, LIMITS),
    full: {
      instances: [{ text: 'a' }],
      parameters: { truncate: true, dimensions: 2 },
      signature_name: 'serving_default',
    },
  },
  'a predict request of tensors': {
    parse: (value) => readInstances(value, [{ name: 'x', datatype: 'FP32', shape: [-1] }], 9),
    full: { instances: [{ x: 1 }], signature_name: 'serving_default' },
  },
  'an infer request': {
    parse: decodeInferRequest,
    full: { id: 'i', parameters: { a: 1 }, inputs: [TENSOR], outputs: [{ name: 'y', parameters: { b: 1 } }] },
  },
  'a message of the work queues': {
    parse: parseWorkMessage,
    full: {
      v: 1,
      kind: 'job',
      owner: 'o',
      id: 'i',
      hash: 'h',
      endpoint: '/v1/embeddings',
      model: 'm',
      createdAtMs: 1,
      expiresAtMs: 2,
      destinations: {},
      input: { kind: 'inline', json: '{}' },
    },
  },
};

/** Messages between functions, which no caller writes. */
const INTERNAL = ['core/jobs/work-message.ts', 'core/batches/step-message.ts', 'core/webhooks/delivery-message.ts'];

/** The files whose requests are among the subjects. */
const COVERED = [
  'core/batches/batch-request.ts',
  'core/files/file-request.ts',
  'core/jobs/cloud-event.ts',
  'core/jobs/job-request.ts',
  'core/webhooks/subscription.ts',
];

function outcomeOf(parse: Subject['parse'], value: unknown): unknown {
  try {
    return { parsed: parse(value) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return 'refused';
  }
}

/** Message and member of the error of a request; empty if it is accepted. */
function errorOf(parse: Subject['parse'], value: unknown): string {
  try {
    parse(value);
    return '';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${error.message} ${error.param ?? ''}`;
  }
}

const CANARIES: readonly unknown[] = [
  'a secret text',
  'secret',
  4_111_111_111_111_111,
  -4111.5,
  ['secret'],
  [4_111_111_111_111_111],
  { secret: 'secret' },
  { 'a secret text': 4_111_111_111_111_111 },
];

/** Members whose own members are not those of the request: a body is read by the route that it is for. */
const OPAQUE: readonly unknown[] = ['metadata', 'body'];

describe.each(Object.entries(SUBJECTS))('%s', (_, { parse, full, members }) => {
  const places = placesIn(full);

  test('is accepted with every member that it can have', () => {
    expect(() => parse(full)).not.toThrow();
    if (members !== undefined) expect(Object.keys(full).sort()).toEqual(Object.keys(members).sort());
  });

  test('reads null of any member as if the member were absent', () => {
    for (const path of places.filter((place) => !place.slice(0, -1).some((key) => OPAQUE.includes(key)))) {
      if (typeof path.at(-1) !== 'string') continue;
      expect(outcomeOf(parse, changed(full, path, null))).toEqual(outcomeOf(parse, changed(full, path, undefined)));
    }
  });

  test('never shows a value of the caller, or a name that the caller made up, in an error', () => {
    const requests = places.flatMap((path) => [
      ...CANARIES.map((canary) => changed(full, path, canary)),
      ...['secret', 'a secret text', '4111111111111111'].map((name) => withMember(full, path, name)),
    ]);
    for (const request of requests) expect(errorOf(parse, request)).not.toMatch(/secret|4111/);
  });

  test('has short errors for values of any length and any number of defects', () => {
    const long = [
      'a'.repeat(100_000),
      Array.from({ length: 20_000 }, (_, index) => index),
      { ['b'.repeat(100_000)]: 1 },
    ];
    for (const path of places) {
      for (const value of long) expect(errorOf(parse, changed(full, path, value)).length).toBeLessThan(2000);
    }
  });
});

test('every request that callers send is tested here', () => {
  const files = readdirSync('core', { recursive: true, encoding: 'utf8' }).map((name) => join('core', name));
  const reading = files.filter(
    (name) => name.endsWith('.ts') && name !== 'core/parse.ts' && readFileSync(name, 'utf8').includes('parseInput('),
  );
  expect(reading.sort()).toEqual([...COVERED, ...INTERNAL].sort());
});
