import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  type ITableV2,
  ProjectionType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { RecordAction, RecordKind } from '../../core/functions/permissions.ts';
import { JOBS_TABLE } from '../../core/jobs/jobs-table.ts';

/** Settings of a {@link JobsTable}. */
export interface JobsTableProps {
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
 * Records of jobs, files, uploads and batches, and the subscriptions of callers.
 *
 * On demand, encrypted with DynamoDB's own key, restorable to any second of the last 35 days; records leave by
 * themselves once their time to live has passed.
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
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.deletionProtection ?? false,
      removalPolicy: (props.retainData ?? true) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
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

  /**
   * Grants `grantee` these actions on records, and nothing else.
   *
   * @param kinds - Kinds of records. Defaults to all kinds.
   */
  grantRecords(grantee: IGrantable, actions: readonly RecordAction[], kinds?: readonly RecordKind[]): Grant {
    const keys = kinds?.map((kind) => `${kind}/*`);
    return Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `dynamodb:${action}`),
      resourceArns: [this.table.tableArn],
      conditions: keys && { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys } },
    });
  }

  /** Grants `grantee` permission to list the records of an owner. */
  grantList(grantee: IGrantable): Grant {
    return grantActions(grantee, `${this.table.tableArn}/index/${JOBS_TABLE.byOwnerIndex}`, ['Query']);
  }

  /** Grants `grantee` permission to list the records that are due. */
  grantListDue(grantee: IGrantable): Grant {
    return grantActions(grantee, `${this.table.tableArn}/index/${JOBS_TABLE.byDueIndex}`, ['Query']);
  }
}

/** Allows actions on one table or index. */
export function grantActions(grantee: IGrantable, resourceArn: string, actions: readonly RecordAction[]): Grant {
  return Grant.addToPrincipal({
    grantee,
    actions: actions.map((action) => `dynamodb:${action}`),
    resourceArns: [resourceArn],
  });
}
