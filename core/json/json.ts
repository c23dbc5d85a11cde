import { AppError } from '../errors.ts';

/** Maximum nesting that {@link parseJson} accepts; every body of this product's routes needs less than ten. */
const MAX_DEPTH = 64;

/** A whole number as JSON writes it, without fraction and exponent. */
const INTEGER = /^-?\d+$/;

/** Third argument of a reviver in V8: the source text of a primitive (TC39 JSON.parse source text access). */
interface ReviverContext {
  readonly source?: string;
}

const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: ReviverContext) => unknown,
) => unknown;

/**
 * Parses JSON text, keeping integers exact: those beyond 2^53 become `bigint`, all others `number`.
 *
 * The common body costs one native parse and one walk; only a text that holds a number beyond 2^53 is parsed twice.
 *
 * @throws AppError `INVALID_JSON` when the text is not JSON, nests more than 64 levels deep, or names a member `__proto__`.
 */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('INVALID_JSON', `body is not valid JSON: ${whereParsingStopped(error)}`);
  }
  return holdsUnsafeNumber(value, 1) ? parseWithSource(text, reviveExactly) : value;
}

/** Parses JSON text that no caller wrote, as the engine does; undefined if the text is not JSON. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Position only: the engine's own message quotes the text. */
function whereParsingStopped(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /at position \d+/.exec(message)?.[0];
  if (position !== undefined) return `unexpected character ${position}`;
  return message.startsWith('Unexpected end') ? 'the text ends too early' : 'unexpected character';
}

/** Also checks for members that no body may contain, so that one walk is enough. */
function holdsUnsafeNumber(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return isUnsafe(value);
  if (typeof value !== 'object' || value === null) return false;
  if (depth > MAX_DEPTH) {
    throw new AppError('INVALID_JSON', `body nests more than ${MAX_DEPTH} levels deep`);
  }
  return Array.isArray(value) ? someUnsafe(value, depth) : someMemberUnsafe(value, depth);
}

function someUnsafe(values: readonly unknown[], depth: number): boolean {
  if (areSafeNumbers(values)) return false;
  let found = false;
  for (const value of values) {
    if (holdsUnsafeNumber(value, depth + 1)) found = true;
  }
  return found;
}

/** A loop of its own, that meets arrays of numbers only: the engine then unboxes them, which is three times as fast. */
function areSafeNumbers(values: readonly unknown[]): boolean {
  if (typeof values[0] !== 'number') return false;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number' || isUnsafe(value)) return false;
  }
  return true;
}

function someMemberUnsafe(object: object, depth: number): boolean {
  let found = false;
  // Objects from JSON.parse inherit no enumerable members, so this loop sees only their own.
  for (const key in object) {
    if (key === '__proto__') throw new AppError('INVALID_JSON', 'body names a member __proto__, which is not allowed');
    if (holdsUnsafeNumber(object[key as keyof typeof object], depth + 1)) found = true;
  }
  return found;
}

function isUnsafe(value: number): boolean {
  return value > Number.MAX_SAFE_INTEGER || value < -Number.MAX_SAFE_INTEGER;
}

function reviveExactly(_key: string, value: unknown, { source }: ReviverContext): unknown {
  if (typeof value !== 'number' || source === undefined) return value;
  return isUnsafe(value) && INTEGER.test(source) ? BigInt(source) : value;
}
