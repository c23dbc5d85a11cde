import type { PutItemCommandInput, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { CLIENT_SETTINGS } from './client-settings.ts';

/** A write to a table, as data that can be passed to another thread. */
export type TableWrite =
  | { readonly kind: 'put'; readonly input: PutItemCommandInput }
  | { readonly kind: 'update'; readonly input: UpdateItemCommandInput };

/** Makes a write. The client is loaded for it, because writes of this kind are rare. */
export async function writeToTable(write: TableWrite): Promise<void> {
  const { DynamoDBClient, PutItemCommand, UpdateItemCommand } = await import('@aws-sdk/client-dynamodb');
  const client = new DynamoDBClient(CLIENT_SETTINGS);
  try {
    if (write.kind === 'put') await client.send(new PutItemCommand(write.input));
    else await client.send(new UpdateItemCommand(write.input));
  } finally {
    client.destroy();
  }
}
