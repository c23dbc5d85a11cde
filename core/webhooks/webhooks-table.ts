/** Attribute names of the webhooks table, which holds signing secrets: only the functions that sign or show them may read it. */
export const WEBHOOKS_TABLE = {
  /** Partition key, a string. */
  partitionKey: 'pk',
  /** Number: when DynamoDB may delete the item, seconds since the Unix epoch (the TTL attribute). */
  expiresAt: 'expiresAt',
} as const;

/** Keys of the items in the webhooks table. */
export const webhooksTableKeys = {
  secrets: (owner: string): string => `secrets/${owner}`,
  /** @param hostHash - Hash of the receiver's host. */
  receiver: (owner: string, hostHash: string): string => `receiver/${owner}/${hostHash}`,
  /** @param owner - Undefined for the attempts of all tenants at receivers that are not quick. */
  attempts: (owner?: string): string => (owner === undefined ? 'attempts' : `attempts/${owner}`),
  /** @param urlHash - Hash of the URL: a URL can be longer than a key may be. */
  endpoint: (owner: string, urlHash: string): string => `endpoint/${owner}/${urlHash}`,
  deliveries: (owner: string, object: 'job' | 'batch', id: string): string => `deliveries/${owner}/${object}/${id}`,
} as const;
