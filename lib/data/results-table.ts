import { RemovalPolicy, Validations } from 'aws-cdk-lib';
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
 * On demand (nothing is paid while idle), encrypted with DynamoDB's own key; items leave by themselves once their time to
 * live has passed. There are no backups: every lost result can be computed again.
 */
export class ResultsTable extends Construct {
  /** The table itself. */
  readonly table: ITableV2;

  constructor(scope: Construct, id: string, props: ResultsTableProps = {}) {
    super(scope, id);
    const table = new TableV2(this, 'Table', {
      partitionKey: { name: RESULTS_TABLE.partitionKey, type: AttributeType.STRING },
      timeToLiveAttribute: RESULTS_TABLE.expiresAt,
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      // Written out, because it turns off the backups of tables that earlier versions deployed.
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
      removalPolicy: (props.retainData ?? true) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(table).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason:
        'A cache: lost results are computed again, so point-in-time recovery would cost money and restore nothing.',
    });
    this.table = table;
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
