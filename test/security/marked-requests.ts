import { changed, type Path, placesIn, withMember } from './altered.ts';

/** A text that a caller would not want to see anywhere but in a result, and digits of a number of which the same is true. */
export const MARK = 'xqMARKEDqx';
export const MARKED_DIGITS = 4_171_717_171_717_171;

/** Both marks, cut ones included. */
export const MARKS = /xqMARK|41717171/;

/** A request of an outside caller. */
export interface MarkedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const EXPIRY = { anchor: 'created_at', seconds: 3600 };
const TENSOR = { name: 'text', datatype: 'BYTES', shape: [1], parameters: { a: 1 }, data: ['a'] };

/** Routes with a JSON body, and an example with every member that it can have. */
const BODIES: readonly (readonly [method: string, path: string, full: unknown])[] = [
  [
    'POST',
    '/v1/embeddings',
    { model: 'minilm', input: ['a'], encoding_format: 'base64', dimensions: 384, truncate: true, user: 'u' },
  ],
  [
    'POST',
    '/v1/models/minilm:predict',
    { instances: [{ text: 'a' }], parameters: { truncate: true, dimensions: 384 }, signature_name: 'serving_default' },
  ],
  [
    'POST',
    '/v2/models/minilm/infer',
    {
      id: 'i',
      parameters: { truncate: true, dimensions: 384 },
      inputs: [TENSOR],
      outputs: [{ name: 'embedding', parameters: { binary_data: false, classification: 1 } }],
    },
  ],
  [
    'PUT',
    '/v1/jobs/chosen-id',
    {
      endpoint: '/v1/embeddings',
      body: { model: 'minilm', input: ['a'] },
      webhook_url: 'https://hooks.shop.com/',
      reply_queue: 'results',
      event_bus: true,
    },
  ],
  [
    'PUT',
    '/v1/jobs/chosen-id',
    { endpoint: '/v1/embeddings', input_file_id: 'file-1', input_media_type: 'text/plain' },
  ],
  ['PUT', '/v1/jobs/chosen-id', { endpoint: '/v1/embeddings', input_s3: 's3://bucket/key' }],
  ['POST', '/v1/webhooks', { url: 'https://hooks.shop.com/', events: ['job.succeeded'] }],
  ['POST', '/v1/files', { filename: 'a', purpose: 'batch', bytes: 1, expires_after: EXPIRY }],
  [
    'POST',
    '/v1/uploads',
    { filename: 'a', purpose: 'batch', bytes: 1, mime_type: 'text/plain', expires_after: EXPIRY },
  ],
  ['POST', '/v1/uploads/upload_1/complete', { part_ids: [`part_${'0'.repeat(26)}`], md5: 'd'.repeat(32) }],
  [
    'POST',
    '/v1/batches',
    {
      input_file_id: 'file-1',
      endpoint: '/v1/embeddings',
      completion_window: '24h',
      metadata: { a: 'b' },
      output_expires_after: EXPIRY,
    },
  ],
];

const VALUES: readonly unknown[] = [
  MARK,
  `${MARK} and more, that is longer than any name "quoted"`,
  MARKED_DIGITS,
  -MARKED_DIGITS / 4096,
  String(MARKED_DIGITS),
  [MARK],
  [MARKED_DIGITS],
  { [MARK]: MARK },
  { [MARK]: { [MARKED_DIGITS]: MARKED_DIGITS } },
  `\ud800${MARK}`,
];

/** Every example with a mark at every place: as a value of every kind, and as the name of one more member. */
function* markedBodies(): Generator<MarkedRequest> {
  for (const [method, path, full] of BODIES) {
    const bodies = placesIn(full).flatMap((place) => [
      ...VALUES.map((value) => changed(full, place, value)),
      withMember(full, place, MARK),
      withMember(full, place, `${MARKED_DIGITS}`),
    ]);
    const texts = [...bodies, ...VALUES].map((body) => JSON.stringify(body));
    const encodedTwice = JSON.stringify(JSON.stringify(full).replace('a', MARK));
    for (const body of [...texts, encodedTwice, `{"a":${MARK}`, `[${MARKED_DIGITS}`, MARK, `"\\u${MARK}"`]) {
      yield { method, path, headers: JSON_TYPE, body };
    }
  }
}

const HEADERS: readonly string[] = [
  'accept',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'idempotency-key',
  'inference-header-content-length',
  'prefer',
  'traceparent',
  'x-api-key',
  'x-request-id',
  'x-webhook-url',
];

const HEADER_VALUES: readonly string[] = [
  MARK,
  `application/${MARK}`,
  `text/plain; name=${MARK}`,
  `wait=${MARK}`,
  `respond-async, ${MARK}=1`,
  `hooks.shop.com/${MARK}`,
  `http://hooks.shop.com/${MARK}`,
  `https://${MARK}.internal/`,
  `Bearer ${MARK}`,
  String(MARKED_DIGITS),
];

function* markedHeaders(): Generator<MarkedRequest> {
  for (const [method, path, full] of BODIES) {
    for (const name of HEADERS) {
      for (const value of HEADER_VALUES) {
        yield { method, path, headers: { ...JSON_TYPE, [name]: value }, body: JSON.stringify(full) };
      }
    }
  }
}

const PATHS: readonly string[] = [
  `/${MARK}`,
  `/v1/${MARK}`,
  `/v1/models/${MARK}`,
  `/v1/models/${MARK}:predict`,
  `/v1/models/minilm:${MARK}`,
  `/v2/models/${MARK}`,
  `/v2/models/${MARK}/infer`,
  `/v2/models/${MARK}/ready`,
  `/v2/models/minilm/versions/${MARK}`,
  `/v2/models/minilm/versions/${MARKED_DIGITS}/infer`,
  `/v1/jobs/${MARK}%20more`,
  `/v1/jobs/${MARK}/${MARK}`,
  `/v1/jobs/${MARK}/cancel`,
  `/v1/jobs/${MARK}/deliveries`,
  `/v1/jobs/${MARK}/deliveries/${MARK}/redeliver`,
  `/v1/webhooks/${MARK}`,
  `/v1/webhooks/${MARK}/enable`,
  `/v1/files/${MARK}`,
  `/v1/files/${MARK}/content`,
  `/v1/files/${MARK}%00`,
  `/v1/uploads/${MARK}/parts`,
  `/v1/uploads/${MARK}/complete`,
  `/v1/batches/${MARK}`,
  `/v1/batches/${MARK}/cancel`,
  ...['jobs', 'files', 'batches', 'webhooks'].flatMap((list) =>
    ['limit', 'after', 'order', 'status', 'model', 'purpose', MARK].flatMap((name) =>
      [MARK, `${MARKED_DIGITS}`].map((value) => `/v1/${list}?${name}=${value}`),
    ),
  ),
];

function* markedPaths(): Generator<MarkedRequest> {
  for (const path of PATHS) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      yield { method, path, ...(method === 'POST' ? { headers: JSON_TYPE, body: `{"${MARK}":1}` } : {}) };
    }
  }
  yield { method: 'PUT', path: `/v1/jobs/${MARK}%20more`, headers: JSON_TYPE, body: '{}' };
}

/** Forms with a mark as the name of a field, of a file, and as a value. */
function* markedForms(): Generator<MarkedRequest> {
  const boundary = '----boundary';
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  const parts = [
    `name="${MARK}"\r\n\r\n1`,
    `name="purpose"\r\n\r\n${MARK}`,
    `name="expires_after[seconds]"\r\n\r\n${MARKED_DIGITS}`,
    `name="expires_after[${MARK}]"\r\n\r\n1`,
    `name="file"; filename="${MARK}\u0001.jsonl"\r\n\r\n${MARK}`,
    `name="data"; filename="${MARK}"\r\n\r\n${MARK}`,
    `name="file"\r\n\r\n${MARK}`,
  ];
  for (const path of ['/v1/files', '/v1/uploads/upload_1/parts', `/v1/embeddings`]) {
    for (const part of parts) {
      const body = `--${boundary}\r\ncontent-disposition: form-data; ${part}\r\n--${boundary}--\r\n`;
      yield { method: 'POST', path, headers, body };
      yield { method: 'POST', path, headers, body: body.slice(0, -9) };
    }
    yield { method: 'POST', path, headers: { 'content-type': `multipart/form-data; boundary=${MARK}` }, body: MARK };
  }
}

/** Yields requests whose bodies are not JSON. */
function* markedBytes(): Generator<MarkedRequest> {
  const text = Buffer.from(MARK);
  for (const path of ['/v2/models/minilm/infer', '/v1/embeddings', '/v1/models/minilm:predict', '/v1/batches']) {
    for (const type of ['application/octet-stream', 'application/x-protobuf', 'application/json', 'text/plain']) {
      for (const body of [
        text,
        Buffer.from([0xff, ...text]),
        Buffer.from([0x0a, 4, ...text]),
        Buffer.from([0x2a, 10, ...text]),
      ]) {
        for (const length of [undefined, '0', '4', '10', `${MARKED_DIGITS}`]) {
          const header: Record<string, string> =
            length === undefined ? {} : { 'inference-header-content-length': length };
          yield { method: 'POST', path, headers: { 'content-type': type, ...header }, body };
        }
      }
    }
    for (const coding of ['gzip', 'deflate', 'br']) {
      yield { method: 'POST', path, headers: { ...JSON_TYPE, 'content-encoding': coding }, body: text };
    }
  }
}

/** Requests with a mark in every position that a request has. */
export function markedRequests(): MarkedRequest[] {
  return [...markedBodies(), ...markedHeaders(), ...markedPaths(), ...markedForms(), ...markedBytes()];
}

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
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  data: {
    endpoint: '/v1/embeddings',
    body: { model: 'minilm', input: ['a'] },
    webhook_url: 'https://a.com/',
    event_bus: true,
  },
};

/** Messages of producers with a mark in every position. */
export function markedEvents(): string[] {
  const events = placesIn(EVENT).flatMap((place) => [
    ...VALUES.map((value) => changed(EVENT, place, value)),
    withMember(EVENT, place, MARK),
  ]);
  const twice = changed(EVENT, ['data', 'body'], JSON.stringify({ input: MARK }));
  const types = ['tensorgate.job.v2', `tensorgate.job.v${MARKED_DIGITS}`].map((type) => changed(EVENT, ['type'], type));
  const texts = [...events, ...VALUES, ...types, twice].map((event) => JSON.stringify(event));
  return [
    ...texts,
    MARK,
    `{"${MARK}":`,
    `${MARKED_DIGITS}`,
    JSON.stringify(JSON.stringify(EVENT).replace('/shop', MARK)),
  ];
}

/** Lines of a batch file with a mark in every position but `custom_id`, which its own line shows. */
export function markedLines(): string[] {
  const full = {
    custom_id: '',
    method: 'POST',
    url: '/v1/embeddings',
    body: { model: 'minilm', input: ['a'], dimensions: 384 },
  };
  const places = placesIn(full).filter(([name]) => name !== 'custom_id');
  const lines = places.flatMap((place) => [
    ...VALUES.map((value) => changed(full, place, value)),
    withMember(full, place, MARK),
  ]);
  const numbered = lines.map((line, index) => JSON.stringify({ ...(line as typeof full), custom_id: `line-${index}` }));
  const ids = [MARKED_DIGITS, [MARK], { [MARK]: 1 }].map((id) => JSON.stringify({ ...full, custom_id: id }));
  return [...numbered, ...ids, MARK, `{"${MARK}"`, `"${MARK}"`, `[${MARKED_DIGITS}]`];
}

/** Messages that an operator or a later version could have put into queues between functions. */
export function markedMessages(): string[] {
  const work = { v: 1, kind: 'job', owner: 'o', id: 'i', hash: 'h', endpoint: '/v1/embeddings', model: 'minilm' };
  const chunk = { ...work, kind: 'chunk', batchId: 'b', index: 0, start: 0, end: 1, firstLine: 1, lines: 1 };
  const step = { v: 1, kind: 'split', owner: 'o', batchId: 'batch_1' };
  // Ids are in logs, because they identify work.
  const isId = ([name]: Path) => name === 'id' || name === 'batchId';
  const messages = [work, chunk, step].flatMap((message) =>
    placesIn(message)
      .filter((place) => !isId(place))
      .flatMap((place) => [MARK, MARKED_DIGITS].map((value) => changed(message, place, value))),
  );
  return [...messages.map((message) => JSON.stringify(message)), MARK, `{"${MARK}"`, JSON.stringify({ [MARK]: MARK })];
}
