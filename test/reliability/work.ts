import { SeededRandom } from './seeded-random.ts';

/** A way to submit a job. */
export type SubmitVia = 'prefer' | 'put' | 'queue';

/** A job to submit, and its expected result. */
export interface PlannedJob {
  readonly via: SubmitVia;
  /** `Idempotency-Key`, id of the job or id of the event. */
  readonly key: string;
  readonly texts: readonly string[];
  /** Error code with which the job must fail. */
  readonly expectedError?: 'INPUT_EMPTY';
  readonly wantsWebhook: boolean;
  readonly wantsReply: boolean;
  /** Whether to cancel the job right after it was accepted. */
  readonly isCanceled: boolean;
}

/** An invalid message for the producer queue, and the error code that its dead letter must carry. */
export interface InvalidMessage {
  readonly body: string;
  readonly code: 'INVALID_EVENT' | 'MODEL_NOT_FOUND' | 'UNSUPPORTED_VERSION';
}

/** All work of one run. */
export interface Plan {
  readonly texts: readonly string[];
  readonly jobs: readonly PlannedJob[];
  readonly invalidMessages: readonly InvalidMessage[];
  /** Lines of the file: texts, and lines that are no request. */
  readonly lines: readonly (string | { readonly broken: string })[];
}

/** Distinct texts: their expected results are looked up once, before faults start. */
const DISTINCT_TEXTS = 40;

const WORDS = [
  'parcel',
  'arrived',
  'late',
  'broken',
  'thanks',
  'refund',
  'where',
  'order',
  'again',
  'today',
  'box',
  'blue',
];

/**
 * Plans work from a seed: the same seed plans the same work.
 *
 * @param items - About how many items.
 */
export function planWork(seed: number, items: number): Plan {
  const random = SeededRandom.of(seed, 'work');
  const texts = Array.from({ length: DISTINCT_TEXTS }, (_, index) => sentence(random, index));
  const jobs: PlannedJob[] = [];
  for (let planned = 0; planned < items / 2; ) {
    const job = planJob(random, texts, jobs.length);
    planned += job.texts.length;
    jobs.push(job);
  }
  const lines = Array.from({ length: Math.ceil(items / 2) }, () =>
    random.chance(0.01) ? { broken: '{"custom_id": "broken", "method": "POST"' } : random.pick(texts),
  );
  return { texts, jobs, invalidMessages: planInvalidMessages(), lines };
}

function planJob(random: SeededRandom, texts: readonly string[], index: number): PlannedJob {
  const via = random.pick<SubmitVia>(['prefer', 'put', 'queue']);
  const isInvalid = via === 'queue' && random.chance(0.05);
  return {
    via,
    key: `${via}-${index}`,
    texts: isInvalid ? [''] : Array.from({ length: random.whole(1, 6) }, () => random.pick(texts)),
    ...(isInvalid ? { expectedError: 'INPUT_EMPTY' } : {}),
    wantsWebhook: random.chance(0.25),
    wantsReply: via !== 'prefer' && random.chance(0.3),
    isCanceled: !isInvalid && random.chance(0.03),
  };
}

function planInvalidMessages(): InvalidMessage[] {
  const event = { specversion: '1.0', id: 'n', source: '/test', type: 'tensorgate.job.v1' };
  const data = { endpoint: '/v2/models/nobody/infer', body: {} };
  return [
    { body: 'no JSON at all', code: 'INVALID_EVENT' },
    { body: JSON.stringify({ ...event, data: undefined }), code: 'INVALID_EVENT' },
    { body: JSON.stringify({ ...event, type: 'tensorgate.job.v9', data }), code: 'UNSUPPORTED_VERSION' },
    { body: JSON.stringify({ ...event, data }), code: 'MODEL_NOT_FOUND' },
  ];
}

function sentence(random: SeededRandom, index: number): string {
  const words = Array.from({ length: random.whole(2, 24) }, () => random.pick(WORDS));
  return `${words.join(' ')} ${index}`;
}
