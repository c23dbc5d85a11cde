import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { convertToAttr, marshall, unmarshall } from '@aws-sdk/util-dynamodb';

/** An item of a DynamoDB table, as the API of DynamoDB represents it. */
export type Item = Record<string, AttributeValue>;

/** Records have optional members, and DynamoDB has no undefined. */
const OPTIONS = { removeUndefinedValues: true } as const;

/** Converts the members of an object to attributes, without those that are undefined. */
export function toItem(object: object): Item {
  return marshall(object, OPTIONS);
}

/** Converts attributes to an object. */
export function fromItem(item: Item): Record<string, unknown> {
  return unmarshall(item);
}

/** Converts a value to an attribute. */
export function toAttribute(value: unknown): AttributeValue {
  return convertToAttr(value, OPTIONS);
}
