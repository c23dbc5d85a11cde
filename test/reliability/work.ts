import type { SeededRandom } from './seeded-random.ts';

/** One way to hand work over. */
export type Door = 'prefer' | 'put' | 'queue';

/** A job that is submitted, and what must come of it. */
export interface PlannedJob {
  readonly door: Door;
  /** `Idempotency-Key`, id of the job or id of the event. */
  readonly key: string;
  readonly texts: readonly string[];
  /** What is wrong with it, as the error code that it must end with. */
  readonly poison?: 'INPUT_EMPTY';
  readonly wantsWebhook: boolean;
  readonly wantsReply: boolean;
  /** Whether it is canceled right after it was accepted. */
  readonly isCanceled: boolean;
}

/** A message that nobody can understand, and the code with which it must end among the dead letters. */
export interface PlannedNonsense {
  readonly body: string;
  readonly code: 'INVALID_EVENT' | 'MODEL_NOT_FOUND' | 'UNSUPPORTED_VERSION';
}

/** All work of one run. */
export interface Plan {
  readonly texts: readonly string[];
  readonly jobs: readonly PlannedJob[];
  readonly nonsense: readonly PlannedNonsense[];
  /** Lines of the file: texts, and what is no request. */
  readonly lines: readonly (string | { readonly broken: string })[];
}

/** Distinct texts: their right answers are looked up once, ahead of all faults. */
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

/** Plans work of about so many items from a seed: the same seed plans the same work. */
export function planWork(random: SeededRandom, items: number): Plan {
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
  return { texts, jobs, nonsense: planNonsense(), lines };
}

function planJob(random: SeededRandom, texts: readonly string[], index: number): PlannedJob {
  const door = random.pick<Door>(['prefer', 'put', 'queue']);
  const isPoison = door === 'queue' && random.chance(0.05);
  return {
    door,
    key: `${door}-${index}`,
    texts: isPoison ? [''] : Array.from({ length: random.whole(1, 6) }, () => random.pick(texts)),
    ...(isPoison ? { poison: 'INPUT_EMPTY' } : {}),
    wantsWebhook: random.chance(0.25),
    wantsReply: door !== 'prefer' && random.chance(0.3),
    isCanceled: !isPoison && random.chance(0.03),
  };
}

function planNonsense(): PlannedNonsense[] {
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
