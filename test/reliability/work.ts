import { createHash } from 'node:crypto';
import { type FragileWork, planFragileWork } from './fragile-work.ts';
import { SeededRandom } from './seeded-random.ts';

/** A way to submit a job. */
export type SubmitVia = 'prefer' | 'put' | 'queue';

/** Plans whose keys submit work. The keys of different plans belong to different tenants. */
export const TENANTS = ['internal', 'pro'] as const;

/** A caller of the product. */
export type Tenant = (typeof TENANTS)[number];

/** Where the body of a job lies. The objects are in the bucket of the callers. */
export type InputPlace = 'request' | 'file' | 'file that is deleted' | 'object' | 'object that is missing';

/** A job to submit, and its expected result. */
export interface PlannedJob {
  readonly tenant: Tenant;
  readonly via: SubmitVia;
  /** `Idempotency-Key`, id of the job or id of the event. */
  readonly key: string;
  /** Whether the key is not sent. The request is sent twice, as a caller does that lost the response. */
  readonly isKeyless: boolean;
  readonly texts: readonly string[];
  readonly input: InputPlace;
  /** Error code with which the job must fail. */
  readonly expectedError?: 'INPUT_EMPTY' | 'INPUT_FORBIDDEN';
  readonly wantsWebhook: boolean;
  readonly wantsReply: boolean;
  readonly wantsEvent: boolean;
  /** Whether to cancel the job right after it was accepted. */
  readonly isCanceled: boolean;
  /** Whether to delete the job as soon as possible after it was accepted. */
  readonly isDeleted: boolean;
}

/** A line of a batch: a text, or bytes that are not a request. */
export type PlannedLine = string | { readonly broken: string };

/** A batch to create. */
export interface PlannedBatch {
  readonly tenant: Tenant;
  readonly key: string;
  /** As that of a {@link PlannedJob}. */
  readonly isKeyless: boolean;
  readonly lines: readonly PlannedLine[];
  /** Whether to cancel the batch right after it was created. */
  readonly isCanceled: boolean;
  /** Whether to delete the batch as soon as possible after it was created. */
  readonly isDeleted: boolean;
}

/** An invalid message for the producer queue, and the error code that its dead letter must carry. */
export interface InvalidMessage {
  readonly body: string;
  readonly code: 'INVALID_EVENT' | 'MODEL_NOT_FOUND' | 'UNSUPPORTED_VERSION';
}

/** A part of the work, which is settled, checked and forgotten before the next one starts. */
export interface Wave {
  readonly index: number;
  readonly jobs: readonly PlannedJob[];
  readonly batches: readonly PlannedBatch[];
  readonly fragile: FragileWork;
  readonly invalidMessages: readonly InvalidMessage[];
}

/** Seed of the run in CI. Its only wave has work of every kind, and a batch that ends as it would without faults. */
export const CI_SEED = 646;

/** Items of the run in CI: one wave. */
export const CI_ITEMS = 400;

/** Distinct texts: their expected results are looked up once, before faults start. */
const DISTINCT_TEXTS = 40;

/** Items of a wave: results of more are not kept in memory. */
const ITEMS_PER_WAVE = 1250;

/** Texts whose vectors are more than a record holds, so that the result is stored in S3. */
const TEXTS_OF_LARGE_RESULT = 10;

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

/** Returns the texts of all jobs and lines of a seed. The last one is so long that its job's input is stored in S3. */
export function planTexts(seed: number): string[] {
  const random = SeededRandom.of(seed, 'texts');
  const texts = Array.from({ length: DISTINCT_TEXTS }, (_, index) => sentence(random, index));
  return [...texts, 'parcel '.repeat(30_000)];
}

/**
 * Plans work from a seed, a wave at a time: the same seed plans the same work, and a plan of any size needs the memory of
 * one wave.
 *
 * @param items - About how many items.
 */
export function* planWaves(seed: number, items: number): Generator<Wave> {
  const texts = planTexts(seed);
  for (let index = 0, planned = 0; planned < items; index++) {
    const wave = planWave(seed, index, { texts, items: Math.min(ITEMS_PER_WAVE, items - planned) });
    planned += itemsOf(wave);
    yield wave;
  }
}

/** Counts the items of a wave. */
export function itemsOf({ jobs, batches, fragile }: Wave): number {
  const texts = sum(jobs.map((job) => job.texts.length));
  return texts + sum(batches.map(({ lines }) => lines.length)) + fragile.jobs.length + fragile.lines.length;
}

/** Computes the digest of a plan. Equal plans have equal digests. */
export function digestOf(waves: Iterable<Wave>): string {
  const hash = createHash('sha256');
  for (const wave of waves) hash.update(JSON.stringify(wave));
  return hash.digest('hex');
}

function planWave(
  seed: number,
  index: number,
  { texts, items }: { readonly texts: readonly string[]; readonly items: number },
): Wave {
  const random = SeededRandom.of(seed, `wave ${index}`);
  const jobs: PlannedJob[] = [];
  for (let planned = 0; planned < items / 2; ) {
    const job = planJob(random, texts, { wave: index, number: jobs.length });
    planned += job.texts.length;
    jobs.push(job);
  }
  const lines = Math.ceil(items / 4);
  const batches = [0, 1].map((number) => planBatch(random, texts, { key: `${index}-${number}`, lines }));
  const fragile = planFragileWork(seed, index);
  return { index, jobs, batches, fragile, invalidMessages: planInvalidMessages() };
}

interface JobNumber {
  readonly wave: number;
  /** Number of the job in its wave. */
  readonly number: number;
}

function planJob(random: SeededRandom, texts: readonly string[], { wave, number }: JobNumber): PlannedJob {
  const via = random.pick<SubmitVia>(['prefer', 'put', 'queue']);
  // The keys of producers' events must belong to a plan that grants what they ask for.
  const tenant = via === 'queue' ? 'internal' : random.pick(TENANTS);
  const isGranted = tenant === 'internal' && via !== 'prefer';
  const isInvalid = via === 'queue' && random.chance(0.05);
  const isKeyless = via === 'prefer' && random.chance(0.5);
  const input = isInvalid || via === 'prefer' ? 'request' : planPlace(random, { via, isGranted });
  // Workers may not list the buckets of callers, so that they cannot know whether an object exists.
  const expectedError = isInvalid ? 'INPUT_EMPTY' : input === 'object that is missing' ? 'INPUT_FORBIDDEN' : undefined;
  const isStopped = expectedError === undefined && via !== 'queue';
  return {
    tenant,
    via,
    key: `${via}-${wave}-${number}`,
    isKeyless,
    texts: isInvalid ? [''] : [...(isKeyless ? ownTexts(texts, number) : []), ...planInput(random, texts)],
    input,
    ...(expectedError === undefined ? {} : { expectedError }),
    wantsWebhook: random.chance(0.25),
    wantsReply: isGranted && random.chance(0.3),
    wantsEvent: isGranted && random.chance(0.3),
    isCanceled: isStopped && random.chance(0.05),
    isDeleted: isStopped && random.chance(0.08),
  };
}

/** Requests without keys that have the same body would be the same job. */
function ownTexts(texts: readonly string[], number: number): string[] {
  return [number % DISTINCT_TEXTS, Math.floor(number / DISTINCT_TEXTS) % DISTINCT_TEXTS].map((at) => texts[at] ?? '');
}

function planPlace(
  random: SeededRandom,
  { via, isGranted }: { readonly via: SubmitVia; readonly isGranted: boolean },
): InputPlace {
  if (random.chance(0.6)) return 'request';
  const files: readonly InputPlace[] = via === 'put' ? ['file', 'file that is deleted'] : [];
  const objects: readonly InputPlace[] = isGranted ? ['object', 'object', 'object that is missing'] : [];
  return random.pick([...files, ...objects]);
}

function planInput(random: SeededRandom, texts: readonly string[]): string[] {
  if (random.chance(0.02)) return [texts.at(-1) ?? ''];
  const length = random.chance(0.04) ? TEXTS_OF_LARGE_RESULT : random.whole(1, 6);
  return Array.from({ length }, () => shortText(random, texts));
}

function planBatch(
  random: SeededRandom,
  texts: readonly string[],
  { key, lines }: { readonly key: string; readonly lines: number },
): PlannedBatch {
  return {
    tenant: random.pick(TENANTS),
    key: `batch-${key}`,
    isKeyless: random.chance(0.5),
    isCanceled: random.chance(0.25),
    isDeleted: random.chance(0.15),
    lines: Array.from({ length: lines }, () =>
      random.chance(0.01) ? { broken: '{"custom_id": "broken", "method": "POST"' } : shortText(random, texts),
    ),
  };
}

function shortText(random: SeededRandom, texts: readonly string[]): string {
  return random.pick(texts.slice(0, DISTINCT_TEXTS));
}

function planInvalidMessages(): InvalidMessage[] {
  const event = { specversion: '1.0', id: 'n', source: '/test', type: 'tensorgate.job.v1' };
  const data = { endpoint: '/v2/models/absent/infer', body: {} };
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
