import * as v from 'valibot';
import { AppError, type ErrorCode } from './errors.ts';

/** How a value that breaks a rule is shown: `parse` and `parseInput` differ in nothing else. */
export interface Reporting {
  readonly describeGot: (issue: v.BaseIssue<unknown>) => string;
  /** The place of a defect: `compute.memoryMiB`, empty at the root. */
  readonly pathOf: (issue: v.BaseIssue<unknown>) => string;
  /** Maximum problems that a message lists. */
  readonly maxProblems: number;
}

/** The name of the value in messages, and the code of its error. */
export interface Subject {
  readonly source: string;
  readonly code: ErrorCode;
}

/** Types of the schemas of objects. */
const OBJECT_TYPES: readonly string[] = ['object', 'loose_object', 'strict_object'];

/** A message of the schema library itself, which quotes the value. */
const QUOTING = /^Invalid [^:]+: .*[Rr]eceived /s;

/**
 * Turns a value into a typed one, or reports its problems.
 *
 * @throws {@link AppError} that lists the first problems, one on each line.
 */
export function parseWith<S extends v.GenericSchema>(
  reporting: Reporting,
  schema: S,
  value: unknown,
  { source, code }: Subject,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  // A value can break several rules of one kind, as 0.5 does with "a whole number from 1".
  const lines = new Set<string>();
  let count = 0;
  for (const issue of result.issues) {
    const line = `\n  ${reporting.pathOf(issue) || '(root)'}: ${describeIssue(issue, reporting)}`;
    if (lines.has(line)) continue;
    count++;
    if (lines.size < reporting.maxProblems) lines.add(line);
  }
  const more = count === lines.size ? '' : `\n  and ${count - lines.size} more`;
  throw new AppError(code, `${source} has ${count} problem${count === 1 ? '' : 's'}:${[...lines].join('')}${more}`);
}

function describeIssue(issue: v.BaseIssue<unknown>, { describeGot }: Reporting): string {
  // A missing or unknown key has no value to show, and a check says itself what it got.
  const isComplete =
    issue.type === 'check' ||
    issue.type === 'min_entries' ||
    issue.type === 'max_entries' ||
    (OBJECT_TYPES.includes(issue.type) && issue.expected !== 'Object');
  const rule = QUOTING.test(issue.message) ? `must be ${issue.expected ?? 'something else'}` : issue.message;
  return isComplete ? rule : `${rule}, got ${describeGot(issue)}`;
}
