/** Processor of a function, as AWS Lambda names it. */
export type Architecture = 'x86_64' | 'arm64';

/** Region of the prices in {@link PRICES}. Those of other regions differ, and AWS publishes no factor. */
export const PRICES_REGION = 'us-east-1';

/** Month of the prices in {@link PRICES}. */
export const PRICES_MONTH = '2026-11';

/**
 * On-demand prices of {@link PRICES_REGION} in US dollars, without free tiers, as of {@link PRICES_MONTH}.
 * Sources: the pricing pages of AWS Lambda, Amazon DynamoDB, Amazon API Gateway, Amazon SQS, Amazon CloudWatch and AWS X-Ray.
 */
export const PRICES = {
  /** AWS Lambda, a GiB of memory for a second of running code (first tier). */
  lambdaGibSecond: { x86_64: 0.0000166667, arm64: 0.0000133334 },
  /** AWS Lambda, a GiB of memory kept initialized for a second (provisioned concurrency). */
  lambdaProvisionedGibSecond: { x86_64: 0.0000041667, arm64: 0.0000033334 },
  /** AWS Lambda, a GiB of memory for a second of running code in a provisioned environment. */
  lambdaProvisionedDurationGibSecond: { x86_64: 0.0000097222, arm64: 0.0000077778 },
  /** AWS Lambda, a million requests. */
  lambdaMillionRequests: 0.2,
  /** Amazon DynamoDB on demand, a million read request units: 4 KiB read consistently, 8 KiB read eventually. */
  dynamoDbMillionReadUnits: 0.125,
  /** Amazon DynamoDB on demand, a million write request units of 1 KiB. */
  dynamoDbMillionWriteUnits: 0.625,
  /** Amazon API Gateway, a million requests of a REST API (first tier). */
  apiGatewayMillionRequests: 3.5,
  /** Amazon SQS, a million requests of standard queues (first tier). */
  sqsMillionRequests: 0.4,
  /** Amazon CloudWatch, a custom metric for a month in which it is sent in every hour (first 10,000 metrics). */
  cloudWatchMetricMonth: 0.3,
  /** Amazon CloudWatch, a gigabyte of logs taken in (standard class). */
  cloudWatchLogsGb: 0.5,
  /** Amazon CloudWatch, a standard alarm for a month. */
  cloudWatchAlarmMonth: 0.1,
  /** AWS X-Ray, a million recorded traces. */
  xRayMillionTraces: 5,
} as const satisfies Record<string, number | Readonly<Record<Architecture, number>>>;

/** Seconds of a month as AWS's own estimates count them: 730 hours. */
export const MONTH_SECONDS = 730 * 3600;

/** Free requests of an account to Amazon SQS each month. */
export const FREE_SQS_REQUESTS = 1_000_000;
