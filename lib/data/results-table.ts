import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, type ITableV2, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { RESULTS_TABLE } from '../../core/results/results-table.ts';

/** Settings of a {@link ResultsTable}. */
export interface ResultsTableProps {
  /**
   * Whether the table outlives its stack.
   *
   * @default true
   */
  readonly retainData?: boolean;
}

/**
 * Results of earlier requests, one item for each fingerprint.
 *
 * On demand (nothing is paid while idle), encrypted with DynamoDB's own key, restorable to any second of the last
 * 35 days; items leave by themselves once their time to live has passed.
 */
export class ResultsTable extends Construct {
  /** The table itself. */
  readonly table: ITableV2;

  constructor(scope: Construct, id: string, props: ResultsTableProps = {}) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: RESULTS_TABLE.partitionKey, type: AttributeType.STRING },
      timeToLiveAttribute: RESULTS_TABLE.expiresAt,
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: (props.retainData ?? true) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  /** Grants `grantee` permission to read and write batches of results, and nothing else. */
  grantReadWriteBatches(grantee: IGrantable): Grant {
    return this.table.grant(grantee, 'dynamodb:BatchGetItem', 'dynamodb:BatchWriteItem');
  }

  /**
   * Grants `grantee` permission to claim work in the table, so that identical concurrent requests are computed once.
   */
  grantClaims(grantee: IGrantable): Grant {
    return this.table.grant(grantee, 'dynamodb:PutItem', 'dynamodb:DeleteItem');
  }
}
