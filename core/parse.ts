import * as v from 'valibot';
import type { ErrorCode } from './errors.ts';
import { parseWith, type Reporting } from './parse-with.ts';

/** Maximum length of a string in a message. */
const MAX_SHOWN_CHARACTERS = 80;

/** For files of the deployment: their author needs to see the value. */
const SHOWN: Reporting = {
  describeGot: ({ input }) => showGot(input),
  pathOf: ({ path = [] }) => path.map(({ key }) => String(key)).join('.'),
  maxProblems: 100,
};

function showGot(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > MAX_SHOWN_CHARACTERS ? `${value.slice(0, MAX_SHOWN_CHARACTERS)}…` : value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a map' : String(value);
}

/**
 * Turns a file of the deployment into a typed value, or reports all of its problems together. The message shows values of
 * the file: data of callers is read by `parseInput`, whose message shows none.
 *
 * @param schema - The allowed values; objects should be strict, so that unknown keys are errors.
 * @param value - The parsed file.
 * @param source - Name of the file in the message, usually its path.
 * @param code - Error code to throw with.
 * @throws AppError with `code`, one line for each defect.
 */
export function parse<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  return parseWith(SHOWN, schema, value, { source, code });
}

/**
 * Creates the schema of an object with these keys and no others.
 *
 * @param explain - Describes the problem of an unknown key. The default lists the known keys.
 */
export function objectOf<E extends v.ObjectEntries>(entries: E, explain?: (key: string) => string | undefined) {
  return v.strictObject(entries, messagesOf(entries, explain));
}

/**
 * Creates the schema of an object from a caller. Null counts as absent in optional members, because clients in typed languages
 * write absent members as null. Unknown members are left out, because clients of another
 * project's protocol send members of its next version.
 */
export function tolerantRequest<E extends v.ObjectEntries>(entries: E) {
  return v.object(withNulls(entries), messagesOf(entries));
}

/** Creates the schema of an object like {@link tolerantRequest}, for a protocol of our own: unknown members are errors. */
export function strictRequest<E extends v.ObjectEntries>(entries: E) {
  return v.strictObject(withNulls(entries), messagesOf(entries));
}

/**
 * Creates the schema of an object like {@link tolerantRequest}, but unknown members are kept.
 *
 * @param rule - The rule that any value but an object breaks.
 */
export function openRequest<E extends v.ObjectEntries>(entries: E, rule = 'must be a JSON object') {
  const messages = messagesOf(entries);
  return v.looseObject(withNulls(entries), (issue) => (issue.expected === 'Object' ? rule : messages(issue)));
}

/** The same entries, in which null of an optional member is read as absent: the types of what they return stay. */
function withNulls<E extends v.ObjectEntries>(entries: E): E {
  const accepting = Object.entries(entries).map(([name, entry]) => [name, isOptional(entry) ? orNull(entry) : entry]);
  return Object.fromEntries(accepting) as E;
}

type OptionalEntry = v.OptionalSchema<v.GenericSchema, unknown>;

function isOptional(entry: v.ObjectEntries[string]): entry is OptionalEntry {
  return entry.type === 'optional';
}

function orNull({ wrapped, default: value }: OptionalEntry) {
  return v.nullish(wrapped, value ?? (() => undefined));
}

/** Messages about an object and its keys. */
function messagesOf(entries: v.ObjectEntries, explain?: (key: string) => string | undefined) {
  const keys = Object.keys(entries).join(', ');
  return (issue: v.BaseIssue<unknown>): string => {
    if (issue.expected === 'Object') return `must be a map with the keys ${keys}`;
    if (issue.expected === 'never') {
      return explain?.(String(issue.path?.at(-1)?.key)) ?? `is not a known key, known are ${keys}`;
    }
    return `is missing, ${ruleOf(entries, issue.path?.at(-1)?.key)}`;
  };
}

function ruleOf(entries: v.ObjectEntries, key: unknown): string {
  const entry = Object.entries(entries).find(([name]) => name === key)?.[1];
  const message = entry !== undefined && 'message' in entry ? entry.message : undefined;
  return typeof message === 'string' ? `it ${message}` : 'it is needed';
}

/** Creates the schema of a whole number from `min` to `max`, both included. */
export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

/** Creates the schema of a number from `min` to `max`, both included. */
export function numberIn(min: number, max: number) {
  const message = `must be a number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message));
}

/** Creates the schema of a string that matches a pattern; `what` describes the allowed values in words. */
export function text(pattern: RegExp, what: string) {
  const message = `must be ${what}`;
  // Editors show this message instead of the pattern, and reference pages show its words.
  return v.pipe(v.string(message), v.regex(pattern, message), v.metadata({ patternErrorMessage: message }));
}

/** A string of whole characters: half of a surrogate pair has no UTF-8, and would be stored as another character. */
export const wellFormed = v.check<string, string>(
  (value) => value.isWellFormed(),
  'must not contain half of a surrogate pair',
);

/** Creates the schema of one of a few words. */
export function oneOf<const T extends readonly string[]>(words: T) {
  return v.picklist(words, `must be one of ${words.join(', ')}`);
}

/** Creates the schema of a path that stays inside a folder. */
export function relativePath(folder: string) {
  return text(/^(?!\/)(?!.*\.\.)[\w./-]+$/, `a relative path inside ${folder}`);
}

/**
 * Describes a key of a file that people write. The reference page and the editor's hover show the description, in which
 * Markdown is allowed, and the examples.
 *
 * @param examples - Values that the schema accepts, as people write them.
 */
export function key<S extends v.GenericSchema>(schema: S, description: string, ...examples: v.InferInput<S>[]) {
  return v.pipe(schema, v.description(description), v.examples(examples));
}
