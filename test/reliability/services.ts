/** Services that can be away, with the calls that fail then. */
export const SERVICES = {
  DynamoDB: /^dynamodb:/,
  S3: /^s3:/,
  'SQS sends': /^sqs:SendMessage/,
  EventBridge: /^events:/,
} as const;

/** Name of a service that can be away. */
export type ServiceName = keyof typeof SERVICES;
