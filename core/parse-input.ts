import type * as v from 'valibot';
import { describeNumber, describeValue } from './describe-value.ts';
import type { ErrorCode } from './errors.ts';
import { parseWith } from './parse-with.ts';

/** Maximum problems that a message lists. */
const MAX_PROBLEMS = 10;

/** Shown for a name that the schema does not have. */
const HIDDEN_NAME = '(name)';

/**
 * Turns data of a caller into a typed value, with a message that holds nothing of the caller: values are described by their
 * kind, and only names that the schema itself has are shown. The values of files are shown by `parse`.
 *
 * @param schema - The allowed values.
 * @param value - The parsed data.
 * @param source - The name of the data in the message.
 * @param code - Error code to throw with.
 * @throws AppError with `code`, one line for each of the first problems.
 */
export function parseInput<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  return parseWith(
    { describeGot, pathOf: (issue) => pathIn(schema, issue), maxProblems: MAX_PROBLEMS },
    schema,
    value,
    {
      source,
      code,
    },
  );
}

/** The kind of a value; of a number that is out of range no more than that. */
function describeGot({ kind, input }: v.BaseIssue<unknown>): string {
  return kind === 'validation' && typeof input === 'number' ? describeNumber(input) : describeValue(input);
}

/** The position of a defect, as far as the schema knows its names. */
function pathIn(schema: object, { path }: v.BaseIssue<unknown>): string {
  let schemas = alternatives(schema);
  const names: string[] = [];
  for (const { key } of path ?? []) {
    const entries = typeof key === 'string' ? partsOf(partsOf(schemas, 'entries'), key) : [];
    const items = typeof key === 'number' ? partsOf(schemas, 'item') : [];
    names.push(entries.length + items.length > 0 ? String(key) : HIDDEN_NAME);
    schemas = [...entries, ...items, ...partsOf(schemas, 'value')].flatMap(alternatives);
  }
  return names.join('.');
}

/** The schemas that a value may have: those of a variant, or that of an optional value if it is present. */
function alternatives(schema: object): object[] {
  const inner = [...partsOf([schema], 'wrapped'), ...partsOf([schema], 'options').flatMap(Object.values)];
  const schemas = inner.filter((option): option is object => typeof option === 'object' && option !== null);
  return schemas.length === 0 ? [schema] : schemas.flatMap(alternatives);
}

/** Schemas inside others: `entries` of objects, `item` of arrays, `value` of records. */
function partsOf(schemas: readonly object[], name: string): object[] {
  const parts = schemas.map((schema): unknown => (Object.hasOwn(schema, name) ? Reflect.get(schema, name) : undefined));
  return parts.filter((part): part is object => typeof part === 'object' && part !== null);
}
