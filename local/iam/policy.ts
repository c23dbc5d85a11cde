import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { type Condition, type ConditionContext, compileConditions } from './conditions.ts';
import { compilePattern } from './patterns.ts';

/** An action that a principal requests. */
export interface IamRequest {
  /** `service:Action`. */
  readonly action: string;
  /** ARN of the resource, `*` for actions that have none. */
  readonly resource: string;
  readonly context?: ConditionContext;
}

/** A verdict: an explicit deny wins over any allow, and what nothing allows is denied. */
export type Verdict = 'allowed' | 'explicitly denied' | 'not allowed';

/** Judges requests by a set of policies. */
export type Judge = (request: IamRequest) => Verdict;

const patterns = v.union([
  v.pipe(
    v.string(),
    v.transform((one) => [one]),
  ),
  v.array(v.string()),
]);

const statementSchema = v.strictObject({
  Sid: v.optional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Action: v.optional(patterns),
  NotAction: v.optional(patterns),
  Resource: v.optional(patterns),
  NotResource: v.optional(patterns),
  Condition: v.optional(v.unknown()),
});

const documentSchema = v.object({
  Statement: v.union([
    v.array(statementSchema),
    v.pipe(
      statementSchema,
      v.transform((one) => [one]),
    ),
  ]),
});

interface CompiledStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly action: (action: string) => boolean;
  readonly resource: (resource: string) => boolean;
  readonly condition: Condition;
}

/**
 * Compiles identity-based policies into a judge that follows the order of AWS: deny, allow, implicit deny.
 *
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html}
 * @throws AppError `TEMPLATE_INVALID` when a policy holds something that is not judged here: it is never passed over.
 */
export function compilePolicies(documents: readonly unknown[]): Judge {
  const statements = documents.flatMap(compileDocument);
  const denials = statements.filter(({ effect }) => effect === 'Deny');
  const grants = statements.filter(({ effect }) => effect === 'Allow');
  return ({ action, resource, context = {} }) => {
    const applies = (statement: CompiledStatement): boolean =>
      statement.action(action) && statement.resource(resource) && statement.condition(context);
    if (denials.some(applies)) return 'explicitly denied';
    return grants.some(applies) ? 'allowed' : 'not allowed';
  };
}

function compileDocument(document: unknown): CompiledStatement[] {
  const result = v.safeParse(documentSchema, document);
  if (!result.success) {
    const [issue] = result.issues;
    throw new AppError(
      'TEMPLATE_INVALID',
      `a policy cannot be judged: ${v.getDotPath(issue) ?? '(root)'}: ${issue.message}`,
    );
  }
  return result.output.Statement.map((statement) => ({
    effect: statement.Effect,
    action: compileMatch('Action', statement.Action, statement.NotAction),
    resource: compileMatch('Resource', statement.Resource, statement.NotResource),
    condition: compileConditions(statement.Condition),
  }));
}

function compileMatch(
  element: 'Action' | 'Resource',
  listed: readonly string[] | undefined,
  exempt: readonly string[] | undefined,
): (value: string) => boolean {
  const chosen = listed ?? exempt;
  if (chosen === undefined)
    throw new AppError('TEMPLATE_INVALID', `a policy statement has neither ${element} nor Not${element}`);
  const variable = chosen.find((pattern) => pattern.includes('${'));
  if (variable !== undefined) {
    throw new AppError(
      'TEMPLATE_INVALID',
      `a policy uses the variable in ${variable}, which local mode does not judge`,
    );
  }
  const tests = chosen.map((pattern) => compilePattern(pattern, element === 'Action'));
  const matches = (value: string): boolean => tests.some((test) => test(value));
  return listed === undefined ? (value) => !matches(value) : matches;
}
