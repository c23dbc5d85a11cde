import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** An item of DynamoDB as the client knows it. */
export type Item = Record<string, AttributeValue>;

/**
 * Writes a value of JSON's kinds as DynamoDB's. Members that are undefined are left out.
 *
 * @throws TypeError for any other value.
 */
export function toAttribute(value: unknown): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (Array.isArray(value)) return { L: value.map(toAttribute) };
  if (typeof value === 'object' && value !== null) return { M: toItem(value) };
  throw new TypeError(`no attribute holds ${value === null ? 'null' : typeof value}`);
}

/** Writes the members of an object as attributes; those that are undefined are left out. */
export function toItem(object: object): Item {
  const members = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members.map(([name, value]) => [name, toAttribute(value)]));
}

/** Reads an attribute that {@link toAttribute} wrote. */
export function fromAttribute(attribute: AttributeValue): unknown {
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  return fromItem(attribute.M ?? {});
}

/** Reads the attributes that {@link toItem} wrote. */
export function fromItem(item: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).map(([name, attribute]) => [name, fromAttribute(attribute)]));
}

/** What an update does. */
export interface UpdateSpec {
  /** Attributes to set; those that are undefined are left as they are. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Numbers to add to attributes. */
  readonly add?: Readonly<Record<string, number>>;
  /** Attributes to remove. */
  readonly remove?: readonly string[];
  /** Attributes that must have these values; undefined stands for an attribute that must not be there. */
  readonly expect?: Readonly<Record<string, unknown>>;
  /** Attributes that must have one of these values. */
  readonly expectOneOf?: Readonly<Record<string, readonly unknown[]>>;
}

/** The expressions of DynamoDB's UpdateItem. */
export interface UpdateExpressions {
  readonly UpdateExpression: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues?: Item;
}

/** Writes an update as expressions, in which every name has a placeholder: many are reserved words. */
export function updateExpressions(spec: UpdateSpec): UpdateExpressions {
  const names: Record<string, string> = {};
  const values: Item = {};
  const nameOf = (name: string) => {
    names[`#${name}`] = name;
    return `#${name}`;
  };
  const placeholderOf = (value: unknown) => {
    const placeholder = `:v${Object.keys(values).length}`;
    values[placeholder] = toAttribute(value);
    return placeholder;
  };
  const sets = entriesOf(spec.set).map(([name, value]) => `${nameOf(name)} = ${placeholderOf(value)}`);
  const adds = Object.entries(spec.add ?? {}).map(([name, value]) => `${nameOf(name)} ${placeholderOf(value)}`);
  const removes = (spec.remove ?? []).map(nameOf);
  const conditions = [
    ...Object.entries(spec.expect ?? {}).map(([name, value]) =>
      value === undefined ? `attribute_not_exists(${nameOf(name)})` : `${nameOf(name)} = ${placeholderOf(value)}`,
    ),
    ...Object.entries(spec.expectOneOf ?? {}).map(
      ([name, allowed]) => `${nameOf(name)} IN (${allowed.map(placeholderOf).join(', ')})`,
    ),
  ];
  const clauses = [clause('SET', sets), clause('ADD', adds), clause('REMOVE', removes)].filter((text) => text !== '');
  return {
    UpdateExpression: clauses.join(' '),
    ...(conditions.length === 0 ? {} : { ConditionExpression: conditions.join(' AND ') }),
    ExpressionAttributeNames: names,
    ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
  };
}

function entriesOf(object: Readonly<Record<string, unknown>> = {}): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

function clause(keyword: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `${keyword} ${parts.join(', ')}`;
}
