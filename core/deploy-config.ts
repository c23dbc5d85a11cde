import * as v from 'valibot';
import { numberIn, objectOf, oneOf, parse, text, wholeNumber } from './parse.ts';

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

/** What `config/<stage>.yaml` may hold; everything has a default, and the default deployment costs nothing while idle. */
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
