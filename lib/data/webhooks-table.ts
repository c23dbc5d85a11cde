import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, type ITableV2, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { RecordAction } from '../../core/functions/permissions.ts';
import { WEBHOOKS_TABLE } from '../../core/webhooks/webhooks-table.ts';
import { grantActions } from './jobs-table.ts';

/** Settings of a {@link WebhooksTable}. */
export interface WebhooksTableProps {
  /**
   * Whether the table outlives its stack.
   *
   * @default true
   */
  readonly retainData?: boolean;
  /**
   * Whether DynamoDB refuses to delete the table.
   *
   * @default false
   */
  readonly deletionProtection?: boolean;
}

/**
 * Signing secrets of callers, health of their endpoints and the log of deliveries: a table of its own, so that only the
 * two functions that sign and show secrets may read it.
 *
 * On demand, encrypted with DynamoDB's own key, restorable to any second of the last 35 days.
 */
export class WebhooksTable extends Construct {
  /** The table itself. */
  readonly table: ITableV2;

  constructor(scope: Construct, id: string, props: WebhooksTableProps = {}) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: WEBHOOKS_TABLE.partitionKey, type: AttributeType.STRING },
      timeToLiveAttribute: WEBHOOKS_TABLE.expiresAt,
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.deletionProtection ?? false,
      removalPolicy: (props.retainData ?? true) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  /** Grants `grantee` these actions on items, and nothing else. */
  grantItems(grantee: IGrantable, actions: readonly RecordAction[]): Grant {
    return grantActions(grantee, this.table.tableArn, actions);
  }
}
