import { AttributeType, Billing, type ITable, type ITableV2, ProjectionType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { RecordAction, RecordKind } from '../../core/functions/permissions.ts';
import { JOBS_TABLE } from '../../core/jobs/jobs-table.ts';
import { checkTable, withKey } from './own-table.ts';
import { type TableSettings, tableProperties } from './table-settings.ts';

/** Settings of a {@link JobsTable}. */
export interface JobsTableProps extends TableSettings {}

/**
 * Records of jobs, files, uploads and batches, and the subscriptions of callers.
 *
 * On demand, encrypted with DynamoDB's own key, restorable to any second of the last 35 days; records leave by
 * themselves once their time to live has passed.
 *
 * @example
 * const { table: jobsTable } = new JobsTable(stack, 'Records', { removalPolicy: RemovalPolicy.DESTROY });
 * new Jobs(stack, 'Jobs', { models, jobsTable });
 */
export class JobsTable extends Construct {
  /** The table itself. */
  readonly table: ITableV2;

  constructor(scope: Construct, id: string, props: JobsTableProps = {}) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: JOBS_TABLE.partitionKey, type: AttributeType.STRING },
      timeToLiveAttribute: JOBS_TABLE.expiresAt,
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      ...tableProperties(props),
      globalSecondaryIndexes: [
        {
          indexName: JOBS_TABLE.byOwnerIndex,
          partitionKey: { name: JOBS_TABLE.listKey, type: AttributeType.STRING },
          sortKey: { name: JOBS_TABLE.listSort, type: AttributeType.STRING },
          projectionType: ProjectionType.INCLUDE,
          nonKeyAttributes: [...JOBS_TABLE.listed],
        },
        {
          indexName: JOBS_TABLE.byDueIndex,
          partitionKey: { name: JOBS_TABLE.dueKey, type: AttributeType.STRING },
          sortKey: { name: JOBS_TABLE.dueAtMs, type: AttributeType.NUMBER },
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
    });
  }
}

/**
 * Checks that a table can hold the records of jobs.
 *
 * @throws AppError `CONFIG_INVALID` that lists all problems.
 */
export function checkJobsTable(table: ITable): void {
  const { partitionKey, expiresAt, byOwnerIndex, byDueIndex } = JOBS_TABLE;
  checkTable(table, { property: 'jobsTable', partitionKey, expiresAt, indexes: [byOwnerIndex, byDueIndex] });
}

/**
 * Grants `grantee` these actions on records, and nothing else.
 *
 * @param kinds - Kinds of records. Defaults to all kinds.
 */
export function grantRecords(
  table: ITable,
  grantee: IGrantable,
  actions: readonly RecordAction[],
  kinds?: readonly RecordKind[],
): Grant {
  const keys = kinds?.map((kind) => `${kind}/*`);
  const grant = Grant.addToPrincipal({
    grantee,
    actions: actions.map((action) => `dynamodb:${action}`),
    resourceArns: [table.tableArn],
    conditions: keys && { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys } },
  });
  return withKey(grant, grantee, table.encryptionKey);
}

/** Grants `grantee` permission to list the records of an owner. */
export function grantList(table: ITable, grantee: IGrantable): Grant {
  return grantQuery(table, grantee, JOBS_TABLE.byOwnerIndex);
}

/** Grants `grantee` permission to list the records that are due. */
export function grantListDue(table: ITable, grantee: IGrantable): Grant {
  return grantQuery(table, grantee, JOBS_TABLE.byDueIndex);
}

function grantQuery(table: ITable, grantee: IGrantable, index: string): Grant {
  return Grant.addToPrincipal({
    grantee,
    actions: ['dynamodb:Query'],
    resourceArns: [`${table.tableArn}/index/${index}`],
  });
}
