import * as v from 'valibot';
import { numberIn, objectOf, oneOf, parse, text, wholeNumber } from '../parse.ts';

const planName = text(/^[a-z][a-z0-9-]{0,30}$/, 'lower-case letters, digits and hyphens, a letter first, 31 at most');

const usagePlanSchema = objectOf({
  rateLimit: numberIn(0.1, 10_000),
  burstLimit: wholeNumber(1, 5000),
  quota: v.optional(objectOf({ limit: wholeNumber(1, 1_000_000_000), period: oneOf(['DAY', 'WEEK', 'MONTH']) })),
  keys: v.optional(v.array(planName, 'must be a list of key names'), ['default']),
});

const throttleSchema = objectOf({ rateLimit: numberIn(0.1, 10_000), burstLimit: wholeNumber(1, 5000) });

/** CloudWatch Logs accepts these retentions only, in days. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

/** Names of reply queues, as jobs name them. */
const queueName = text(/^[a-z][a-z0-9-]{0,30}$/, 'lower-case letters, digits and hyphens, a letter first, 31 at most');

const bucketName = text(/^(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket');

/** Names of a kind, each once; `keyOf` says which ones count as the same. */
function namesOf(name: typeof queueName, what: string, keyOf = (one: string) => one) {
  return v.pipe(
    v.array(name, `must be a list of ${what}`),
    v.check(
      (names) => new Set(names.map(keyOf)).size === names.length,
      ({ input }) => `must hold each name once, got ${input.join(', ')}`,
    ),
    v.maxLength(20, 'must hold 20 at most'),
  );
}

/** Names of queues become names of outputs, which have no hyphens. */
function withoutHyphens(name: string): string {
  return name.replaceAll('-', '');
}

/** Largest object that one PUT takes (Amazon S3), and so the largest file. */
const LARGEST_FILE_BYTES = 5 * 1024 ** 3;

/** What a deployment may choose about jobs: asynchronous requests, batches, webhooks and the queue of producers. */
export const jobsConfigSchema = objectOf({
  enabled: v.optional(v.boolean('must be true or false'), true),
  retentionDays: v.optional(wholeNumber(1, 365), 7),
  replyQueues: v.optional(namesOf(queueName, 'queue names', withoutHyphens), []),
  inputBuckets: v.optional(namesOf(bucketName, 'bucket names'), []),
  alarms: v.optional(v.boolean('must be true or false'), false),
  maxFileBytes: v.optional(wholeNumber(1, LARGEST_FILE_BYTES), LARGEST_FILE_BYTES),
  fileRetentionDays: v.optional(wholeNumber(1, 365), 30),
  deadLetterRetentionDays: v.optional(wholeNumber(1, 14), 14),
});

/** Settings of jobs with every default filled in. */
export type JobsConfig = v.InferOutput<typeof jobsConfigSchema>;

/**
 * What `config/<stage>.yaml` may hold. Everything has a default; all that the default deployment costs while idle is the
 * polling of the queues of jobs.
 */
export const deployConfigSchema = objectOf({
  usagePlans: v.optional(
    v.pipe(
      v.record(planName, usagePlanSchema, 'must map plan names to limits'),
      v.minEntries(1, 'must hold at least one plan'),
    ),
    {
      free: { rateLimit: 5, burstLimit: 10, quota: { limit: 10_000, period: 'DAY' } },
      pro: { rateLimit: 50, burstLimit: 100, quota: { limit: 5_000_000, period: 'MONTH' } },
      internal: { rateLimit: 1000, burstLimit: 2000 },
    },
  ),
  throttle: v.optional(throttleSchema, { rateLimit: 2000, burstLimit: 4000 }),
  logRetentionDays: v.optional(v.picklist(RETENTION_DAYS, `must be one of ${RETENTION_DAYS.join(', ')}`), 30),
  minimumCompressionBytes: v.optional(wholeNumber(0, 10_485_760), 1024),
  tracing: v.optional(v.boolean('must be true or false'), false),
  retainData: v.optional(v.boolean('must be true or false'), true),
  maxIdleMonthlyUsd: v.optional(numberIn(0, 1_000_000)),
  jobs: v.optional(jobsConfigSchema, {}),
});

/** A deployment configuration with every default filled in. */
export type DeployConfig = v.InferOutput<typeof deployConfigSchema>;

/** Name and limits of one usage plan. */
export type UsagePlanConfig = v.InferOutput<typeof usagePlanSchema>;

/** Stage names: the first part of the API's path, and of the file's name. */
export const STAGE_PATTERN = /^[a-z][a-z0-9-]{0,30}$/;

/**
 * Reads a parsed `config/<stage>.yaml`.
 *
 * @param value - What the YAML parser gave; nothing at all means every default.
 * @param source - Path of the file, for the message.
 * @throws AppError `CONFIG_INVALID` that lists every problem at once.
 */
export function parseDeployConfig(value: unknown, source: string): DeployConfig {
  return parse(deployConfigSchema, value ?? {}, source, 'CONFIG_INVALID');
}
