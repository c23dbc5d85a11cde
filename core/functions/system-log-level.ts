/**
 * Which lines AWS Lambda itself writes about the invocations of a function: all (`INFO`), or those of failures (`WARN`).
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
 */
export const SYSTEM_LOG_LEVELS = ['INFO', 'WARN'] as const;

/** Which lines AWS Lambda itself writes about invocations. */
export type SystemLogLevel = (typeof SYSTEM_LOG_LEVELS)[number];
