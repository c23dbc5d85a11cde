import { Validations } from 'aws-cdk-lib';
import { AttributeType, Billing, type ITable, type ITableV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { RESULTS_TABLE } from '../../core/results/results-table.ts';
import { checkTable, withKey } from './own-table.ts';
import { type TableSettings, tableProperties } from './table-settings.ts';

/** Settings of a {@link ResultsTable}. */
export interface ResultsTableProps extends TableSettings {}

/**
 * Results of earlier requests, one item for each fingerprint.
 *
 * On demand (nothing is paid while idle), encrypted with DynamoDB's own key; items leave by themselves once their time to
 * live has passed. There are no backups: every lost result can be computed again.
 *
 * @example
 * const { table: resultsTable } = new ResultsTable(stack, 'Results', { removalPolicy: RemovalPolicy.DESTROY });
 * new InferenceApi(stack, 'Api', { models, resultsTable });
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
      // Written out, because it turns off the backups of tables that earlier versions deployed.
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
      ...tableProperties(props),
    });
    Validations.of(table).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason:
        'A cache: lost results are computed again, so point-in-time recovery would cost money and restore nothing.',
    });
    this.table = table;
  }
}

/**
 * Checks that a table can hold results.
 *
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function checkResultsTable(table: ITable): void {
  const { partitionKey, expiresAt } = RESULTS_TABLE;
  checkTable(table, { property: 'resultsTable', partitionKey, expiresAt });
}

/** Grants `grantee` permission to read and write batches of results, and nothing else. */
export function grantCachedResults(table: ITable, grantee: IGrantable): Grant {
  const grant = table.grant(grantee, 'dynamodb:BatchGetItem', 'dynamodb:BatchWriteItem');
  return withKey(grant, grantee, table.encryptionKey);
}

/** Grants `grantee` permission to claim work in the table, so that identical concurrent requests are computed once. */
export function grantClaims(table: ITable, grantee: IGrantable): Grant {
  return table.grant(grantee, 'dynamodb:PutItem', 'dynamodb:DeleteItem');
}
