/** Attribute names of the DynamoDB results table, one item for each fingerprint. */
export const RESULTS_TABLE = {
  /** Partition key, a string: the fingerprint. */
  partitionKey: 'fingerprint',
  /** Binary: the encoded result. */
  value: 'value',
  /** Number: when it was computed, milliseconds since the Unix epoch. */
  createdAt: 'createdAt',
  /** Number: when DynamoDB may delete it, seconds since the Unix epoch (the TTL attribute). */
  expiresAt: 'expiresAt',
  /** String, in items that claim work instead of holding a result: the holder of the claim. */
  claimHolder: 'holder',
  /** Number, in those items: when the claim lapses, milliseconds since the Unix epoch. */
  claimedUntil: 'claimedUntil',
} as const;
