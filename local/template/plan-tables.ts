import * as v from 'valibot';
import { cfnBoolean, ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

const keySchema = v.array(v.object({ AttributeName: v.string(), KeyType: v.picklist(['HASH', 'RANGE']) }));

const indexSchema = v.object({
  IndexName: v.string(),
  KeySchema: keySchema,
  Projection: v.object({
    ProjectionType: v.optional(v.string()),
    NonKeyAttributes: v.optional(v.array(v.string())),
  }),
});

const tableSchema = v.object({
  AttributeDefinitions: v.array(v.object({ AttributeName: v.string(), AttributeType: v.picklist(['S', 'N', 'B']) })),
  KeySchema: keySchema,
  GlobalSecondaryIndexes: v.optional(v.array(indexSchema), []),
  LocalSecondaryIndexes: v.optional(v.array(indexSchema), []),
  TimeToLiveSpecification: v.optional(v.object({ AttributeName: v.optional(v.string()), Enabled: cfnBoolean })),
});

/** One DynamoDB table: what `CreateTable` takes, and the attribute that says when an item expires. */
export interface TablePlan {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  /** Input of `CreateTable`; always on demand, since nothing limits throughput here. */
  readonly create: Readonly<Record<string, unknown>>;
  readonly timeToLiveAttribute: string | undefined;
}

/**
 * Describes the DynamoDB tables of an app.
 *
 * @throws AppError `TEMPLATE_INVALID` when a table is malformed.
 */
export function planTables(resources: readonly Resource[]): TablePlan[] {
  return ofType(resources, 'AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable').map((resource) => {
    const properties = readProperties(resource, tableSchema);
    const ttl = properties.TimeToLiveSpecification;
    return {
      name: resource.ref,
      arn: resource.attributes['Arn'] ?? '',
      logicalId: resource.logicalId,
      create: {
        TableName: resource.ref,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: properties.AttributeDefinitions,
        KeySchema: properties.KeySchema,
        ...nonEmpty('GlobalSecondaryIndexes', properties.GlobalSecondaryIndexes),
        ...nonEmpty('LocalSecondaryIndexes', properties.LocalSecondaryIndexes),
      },
      timeToLiveAttribute: ttl?.Enabled === true ? ttl.AttributeName : undefined,
    };
  });
}

function nonEmpty<T>(name: string, values: readonly T[]): Record<string, readonly T[]> {
  return values.length === 0 ? {} : { [name]: values };
}
