import * as v from 'valibot';
import { AppError, type ErrorCode } from './errors.ts';

/** One thing that is wrong with a value. */
interface Defect {
  /** Where: `compute.memoryMiB`, empty at the root. */
  readonly path: string;
  /** What: the rule that is broken and the value got. */
  readonly message: string;
}

function describeIssue(issue: v.BaseIssue<unknown>): Defect {
  const path = v.getDotPath(issue) ?? '';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return { path, message: 'is not a known key' };
  }
  const got = issue.received === 'undefined' ? 'nothing' : issue.received;
  return { path, message: `${issue.message}, got ${got}` };
}

/**
 * Turns outside data into a typed value, or reports everything that is wrong with it at once.
 *
 * @param schema - What is allowed; objects should be strict, so that unknown keys are errors.
 * @param value - The outside data.
 * @param source - What the data is called in the message: a file path, as a rule.
 * @param code - Error code to throw with.
 * @throws {@link AppError} with `code`, one line for each defect.
 */
export function parse<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  source: string,
  code: ErrorCode,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const lines = result.issues.map(describeIssue).map(({ path, message }) => `  ${path || '(root)'}: ${message}`);
  throw new AppError(
    code,
    `${source} has ${lines.length} problem${lines.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
  );
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
  return v.pipe(v.string(`must be ${what}`), v.regex(pattern, `must be ${what}`));
}

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T) {
  return v.picklist(words, `must be one of ${words.join(', ')}`);
}
