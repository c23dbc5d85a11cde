import { AttributeType, Billing, type ITable, type ITableV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { WEBHOOKS_TABLE } from '../../core/webhooks/webhooks-table.ts';
import { checkTable } from './own-table.ts';
import { type TableSettings, tableProperties } from './table-settings.ts';

/** Settings of a {@link WebhooksTable}. */
export interface WebhooksTableProps extends TableSettings {}

/**
 * Signing secrets of callers, health of their endpoints and the log of deliveries: a table of its own, so that only the
 * two functions that sign and show secrets may read it.
 *
 * On demand, encrypted with DynamoDB's own key, restorable to any second of the last 35 days.
 *
 * @example
 * const { table: webhooksTable } = new WebhooksTable(stack, 'Webhooks', { encryptionKey: new Key(stack, 'Key') });
 * new Jobs(stack, 'Jobs', { models, webhooksTable });
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
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      ...tableProperties(props),
    });
  }
}

/**
 * Checks that a table can hold secrets and deliveries.
 *
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function checkWebhooksTable(table: ITable): void {
  checkTable(table, { property: 'webhooksTable', ...WEBHOOKS_TABLE });
}
