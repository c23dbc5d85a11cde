import { RemovalPolicy } from 'aws-cdk-lib';
import { TableEncryptionV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';

/** Settings that every table has. */
export interface TableSettings {
  /**
   * Removal policy of the table.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether DynamoDB refuses to delete the table.
   *
   * @default false
   */
  readonly deletionProtection?: boolean;
  /**
   * Key that encrypts the table. Functions that use the table may use the key too. The stack needs a region in its `env`.
   *
   * @default - DynamoDB's own key, which costs nothing
   */
  readonly encryptionKey?: IKey;
}

/** Converts the settings to properties of a table in the AWS CDK. */
export function tableProperties(settings: TableSettings) {
  const { removalPolicy = RemovalPolicy.RETAIN, deletionProtection = false, encryptionKey } = settings;
  return {
    removalPolicy,
    deletionProtection,
    encryption:
      encryptionKey === undefined
        ? TableEncryptionV2.dynamoOwnedKey()
        : TableEncryptionV2.customerManagedKey(encryptionKey),
  };
}
