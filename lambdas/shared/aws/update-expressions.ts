import { type Item, toAttribute } from './attribute-value.ts';

/** An update of an item. Names are those of attributes, or paths into maps with dots. */
export interface UpdateSpec {
  /** Attributes to set; those that are undefined are left as they are. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Numbers to add to attributes. */
  readonly add?: Readonly<Record<string, number>>;
  /** Attributes to remove. */
  readonly remove?: readonly string[];
  /** Attributes that must have these values; undefined stands for an attribute that must be absent. */
  readonly expect?: Readonly<Record<string, unknown>>;
  /** Numbers that must be absent or at most this. */
  readonly expectAtMost?: Readonly<Record<string, number>>;
  /** Attributes that must have one of these values. */
  readonly expectOneOf?: Readonly<Record<string, readonly unknown[]>>;
}

/** The expressions of DynamoDB's UpdateItem. */
export interface UpdateExpressions {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string | undefined;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Item | undefined;
}

/** Writes an update as expressions, in which every name has a placeholder: many are reserved words. */
export function updateExpressions(spec: UpdateSpec): UpdateExpressions {
  const names: Record<string, string> = {};
  const values: Item = {};
  const nameOf = (path: string) => {
    const members = path.split('.');
    for (const member of members) names[`#${member}`] = member;
    return members.map((member) => `#${member}`).join('.');
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
    ...Object.entries(spec.expectAtMost ?? {}).map(
      ([name, most]) => `(attribute_not_exists(${nameOf(name)}) OR ${nameOf(name)} <= ${placeholderOf(most)})`,
    ),
    ...Object.entries(spec.expectOneOf ?? {}).map(
      ([name, allowed]) => `${nameOf(name)} IN (${allowed.map(placeholderOf).join(', ')})`,
    ),
  ];
  const clauses = [clause('SET', sets), clause('ADD', adds), clause('REMOVE', removes)].filter((text) => text !== '');
  return {
    UpdateExpression: clauses.join(' '),
    ConditionExpression: conditions.length === 0 ? undefined : conditions.join(' AND '),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: Object.keys(values).length === 0 ? undefined : values,
  };
}

function entriesOf(object: Readonly<Record<string, unknown>> = {}): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

function clause(keyword: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `${keyword} ${parts.join(', ')}`;
}
