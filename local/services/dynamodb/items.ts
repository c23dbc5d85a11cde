import { perform, readTable, type Store, validate, type Wire } from './dynalite.ts';

/** Returns the primary key that a request names: its `Key`, or the key attributes of its `Item`. */
export async function keyOf(store: Store, table: string, input: Wire): Promise<Wire> {
  const { Key: key, Item: item } = input;
  if (key !== undefined) return key as Wire;
  const { KeySchema: schema } = await readTable(store, table);
  const attributes = item as Wire;
  return Object.fromEntries(schema.map(({ AttributeName: name }) => [name, attributes[name]]));
}

/** Returns the item under a key, if there is one. */
export async function currentItem(store: Store, table: string, key: Wire): Promise<Wire | undefined> {
  const input = { TableName: table, Key: key, ConsistentRead: true };
  const output = await perform(store, 'GetItem', validate(store, 'GetItem', input));
  return output['Item'] as Wire | undefined;
}
