import { describeName, describeValue } from '../describe-value.ts';
import { AppError } from '../errors.ts';

/** A JSON object whose members are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a value that must be a JSON object. Members that are null count as absent: clients in typed languages write them.
 *
 * @param what - The name of the value in the message.
 * @throws AppError `INVALID_BODY` when it is something else.
 */
export function readObject(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return withoutNulls(value as JsonObject);
  throw new AppError('INVALID_BODY', `${what} must be a JSON object, got ${describeValue(value)}`, paramOf(what));
}

/** The usual object has no such member, and is returned as it is. */
function withoutNulls(object: JsonObject): JsonObject {
  for (const name in object) {
    if (object[name] === null) return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
  }
  return object;
}

/**
 * Reads a value that must be an array.
 *
 * @throws AppError `INVALID_BODY` when it is something else.
 */
export function readArray(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new AppError('INVALID_BODY', `${what} must be an array, got ${describeValue(value)}`, paramOf(what));
}

/**
 * Refuses members that are not known.
 *
 * @throws AppError `INVALID_BODY` that describes the first of them.
 */
export function refuseUnknownMembers(object: JsonObject, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new AppError(
    'INVALID_BODY',
    `${what} holds an unknown member, ${describeName(unknown)}, known are ${known.join(', ')}`,
    paramOf(what),
  );
}

function paramOf(what: string): { param?: string } {
  return what === 'body' ? {} : { param: what };
}
