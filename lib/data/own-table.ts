import { Stack } from 'aws-cdk-lib';
import { CfnGlobalTable, CfnTable, type ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { AppError } from '../../core/errors.ts';

/** Properties that the functions need a table to have. */
export interface RequiredTable {
  /** Property that the table was passed in, for the message. */
  readonly property: string;
  /** Name of the partition key, a string. There is no sort key. */
  readonly partitionKey: string;
  /** Attribute with the time to live. */
  readonly expiresAt: string;
  /** Names of the global secondary indexes. */
  readonly indexes?: readonly string[];
}

interface KeyElement {
  readonly attributeName: string;
  readonly keyType: string;
}

/**
 * Checks a table that the app passes in. A table that is imported by its name shows nothing at synthesis and is not checked.
 *
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function checkTable(table: ITable, { property, partitionKey, expiresAt, indexes = [] }: RequiredTable): void {
  const resource = table.node.defaultChild;
  if (!(resource instanceof CfnTable || resource instanceof CfnGlobalTable)) return;
  const stack = Stack.of(resource);
  const keys: readonly KeyElement[] = stack.resolve(resource.keySchema) ?? [];
  const timeToLive: { readonly attributeName?: string } = stack.resolve(resource.timeToLiveSpecification) ?? {};
  const own: readonly { readonly indexName: string }[] = stack.resolve(resource.globalSecondaryIndexes) ?? [];
  const found = keys.map(({ attributeName, keyType }) => `${attributeName} (${keyType})`).join(', ');
  const missing = indexes.filter((name) => own.every(({ indexName }) => indexName !== name));
  const problems = [
    ...(found === `${partitionKey} (HASH)` ? [] : [`the only key must be ${partitionKey} (HASH), got ${found}`]),
    ...(timeToLive.attributeName === expiresAt
      ? []
      : [`the time to live must be the attribute ${expiresAt}, got ${timeToLive.attributeName ?? 'none'}`]),
    ...(missing.length === 0 ? [] : [`the indexes ${missing.join(', ')} are missing`]),
  ];
  if (problems.length === 0) return;
  throw new AppError('CONFIG_INVALID', `${property}: ${table.node.path} cannot be used: ${problems.join('; ')}`, {
    param: property,
  });
}

/**
 * Grants the use of a customer managed key, which a grant on its table or bucket does not include.
 *
 * @param grant - The grant on the table or bucket.
 * @returns Both grants together.
 */
export function withKey(grant: Grant, grantee: IGrantable, key: IKey | undefined): Grant {
  return key === undefined ? grant : grant.combine(key.grantEncryptDecrypt(grantee));
}
