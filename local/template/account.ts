/** The account, region and partition that local mode stands for. */
export const LOCAL_ACCOUNT = {
  accountId: '000000000000',
  region: 'us-east-1',
  partition: 'aws',
  urlSuffix: 'amazonaws.com',
} as const;

/** Returns the ARN of a resource in the local account and region. */
export function localArn(service: string, resource: string): string {
  return `arn:${LOCAL_ACCOUNT.partition}:${service}:${LOCAL_ACCOUNT.region}:${LOCAL_ACCOUNT.accountId}:${resource}`;
}

/** Returns the ARN of a resource of a global service, as IAM is. */
export function globalArn(service: string, resource: string): string {
  return `arn:${LOCAL_ACCOUNT.partition}:${service}::${LOCAL_ACCOUNT.accountId}:${resource}`;
}
