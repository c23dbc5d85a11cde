import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DAY_MS } from '../../../core/clock.ts';
import { TOMBSTONE_DAYS } from '../../../core/retention/tombstone.ts';
import type { DeliveryMessage } from '../../../core/webhooks/delivery-message.ts';
import { WEBHOOKS_TABLE, webhooksTableKeys } from '../../../core/webhooks/webhooks-table.ts';
import { toItem } from '../aws/attribute-value.ts';
import { callAws } from '../aws/client-settings.ts';

/** Name of the table in messages. */
export const WEBHOOKS_TABLE_NAME = 'the webhooks table';

/** Attribute of the deliveries of a deleted job or batch: the time of the deletion. */
export const DELETED_AT = 'deletedAtMs';

/** The webhooks table. */
export interface WebhooksTableOptions {
  readonly client: DynamoDBClient;
  /** Name of the table. */
  readonly table: string;
}

/**
 * Deletes the deliveries of a job or batch that was deleted, and remembers when it was: deliveries from before, whose
 * messages still wait, are dropped.
 *
 * @throws AppError `UNAVAILABLE` if the table does not respond.
 */
export async function forgetDeliveries(
  { client, table }: WebhooksTableOptions,
  owner: string,
  { object, id }: DeliveryMessage['subject'],
  deletedAtMs: number,
): Promise<void> {
  const expiresAtMs = deletedAtMs + TOMBSTONE_DAYS * DAY_MS;
  const command = new PutItemCommand({
    TableName: table,
    Item: toItem({
      [WEBHOOKS_TABLE.partitionKey]: webhooksTableKeys.deliveries(owner, object, id),
      [WEBHOOKS_TABLE.expiresAt]: Math.ceil(expiresAtMs / 1000),
      [DELETED_AT]: deletedAtMs,
    }),
  });
  await callAws(WEBHOOKS_TABLE_NAME, () => client.send(command));
}
