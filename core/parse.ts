import * as v from 'valibot';
import { describeValue } from './describe-value.ts';
import { AppError, type ErrorCode } from './errors.ts';

/** Maximum length of a string in a message. */
const MOST_SHOWN = 80;

/** One defect of a value. */
interface Defect {
  /** Where: `compute.memoryMiB`, empty at the root. */
  readonly path: string;
  /** What: the rule that is broken and the value got. */
  readonly message: string;
}

/** How a value that breaks a rule is shown. */
interface Reporting {
  readonly describeGot: (issue: v.BaseIssue<unknown>) => string;
  readonly describeKey: (key: string) => string;
}

/** Types of the schemas of objects. */
const OBJECT_TYPES: readonly string[] = ['object', 'loose_object', 'strict_object'];

/** A message of the schema library itself, which quotes the value. */
const QUOTING = /^Invalid [^:]+: .*[Rr]eceived /s;

function describeIssue(issue: v.BaseIssue<unknown>, reporting: Reporting): Defect {
  const path = (issue.path ?? []).map(({ key }) => reporting.describeKey(String(key))).join('.');
  // A missing or unknown key has no value to show, and a check says itself what it got.
  const isComplete =
    issue.type === 'check' ||
    issue.type === 'min_entries' ||
    issue.type === 'max_entries' ||
    (OBJECT_TYPES.includes(issue.type) && issue.expected !== 'Object');
  const rule = QUOTING.test(issue.message) ? `must be ${issue.expected ?? 'something else'}` : issue.message;
  return { path, message: isComplete ? rule : `${rule}, got ${reporting.describeGot(issue)}` };
}

/** For files of the deployment: their author needs to see the value. */
const SHOWN: Reporting = { describeGot: ({ input }) => showGot(input), describeKey: (key) => key };

/**
 * For data of callers: messages are logged, so values are shown only if they are numbers out of a range, and keys only if
 * they look like names.
 */
const HIDDEN: Reporting = {
  describeGot: ({ kind, input }) =>
    kind === 'validation' && typeof input === 'number' ? String(input) : describeValue(input),
  describeKey: (key) => (/^[\w-]{1,40}$/.test(key) ? key : '(unreadable name)'),
};

function showGot(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a map' : String(value);
}

/**
 * Turns a file of the deployment into a typed value, or reports all of its problems together.
 *
 * @param schema - What is allowed; objects should be strict, so that unknown keys are errors.
 * @param value - The parsed file.
 * @param source - Name of the file in the message, usually its path.
 * @param code - Error code to throw with.
 * @throws {@link AppError} with `code`, one line for each defect.
 */
export function parse<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  return parseWith(SHOWN, schema, value, source, code);
}

/**
 * Turns data of a caller into a typed value as {@link parse} does, with a message that holds no text of the caller.
 *
 * @throws {@link AppError} with `code`, one line for each defect.
 */
export function parseInput<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  return parseWith(HIDDEN, schema, value, source, code);
}

function parseWith<S extends v.GenericSchema>(
  reporting: Reporting,
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const defects = result.issues
    .map((issue) => describeIssue(issue, reporting))
    .map(({ path, message }) => `  ${path || '(root)'}: ${message}`);
  // A value can break several rules of one kind, as 0.5 does with "a whole number from 1".
  const lines = [...new Set(defects)];
  throw new AppError(
    code,
    `${source} has ${lines.length} problem${lines.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
  );
}

/**
 * An object with these keys and no others.
 *
 * @param explain - Says what is wrong with a key that is not known; by default, which keys are.
 */
export function objectOf<E extends v.ObjectEntries>(entries: E, explain?: (key: string) => string | undefined) {
  return v.strictObject(entries, messagesOf(entries, explain));
}

/**
 * An object of a caller. Null counts as absent in optional members, because clients in typed languages write absent members
 * as null. Members that are not known are left out, because clients of a protocol of others send what its next version has.
 */
export function tolerantRequest<E extends v.ObjectEntries>(entries: E) {
  return v.object(withNulls(entries), messagesOf(entries));
}

/** As {@link tolerantRequest}, for a protocol of our own: members that are not known are errors. */
export function strictRequest<E extends v.ObjectEntries>(entries: E) {
  return v.strictObject(withNulls(entries), messagesOf(entries));
}

/**
 * As {@link tolerantRequest}, but members that are not known are kept.
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

/** A whole number from `min` to `max`, both included. */
export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

/** A number from `min` to `max`, both included. */
export function numberIn(min: number, max: number) {
  const message = `must be a number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message));
}

/** A string that a pattern matches; `what` says in words what is allowed. */
export function text(pattern: RegExp, what: string) {
  const message = `must be ${what}`;
  // Editors show this message instead of the pattern, and reference pages show its words.
  return v.pipe(v.string(message), v.regex(pattern, message), v.metadata({ patternErrorMessage: message }));
}

/** A string of whole characters: half of a surrogate pair has no UTF-8, and would be stored as another character. */
export const wellFormed = v.check<string, string>(
  (value) => value.isWellFormed(),
  'must hold no half of a surrogate pair',
);

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T) {
  return v.picklist(words, `must be one of ${words.join(', ')}`);
}

/** A path that stays inside a folder. */
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
