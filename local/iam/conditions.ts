import { AppError } from '../../core/errors.ts';
import { isJsonObject } from '../template/json.ts';
import { compilePattern } from './patterns.ts';

/** Values of the keys of a request that conditions ask for, by the key in lower case. Some keys have several values. */
export type ConditionContext = Readonly<Record<string, string | readonly string[]>>;

/** A compiled condition. */
export type Condition = (context: ConditionContext) => boolean;

interface Operator {
  /** Whether one value of the request fits one value of the policy. */
  compile(expected: string): (actual: string) => boolean;
  /** Negated operators hold when no value matches, and when the request lacks the key. */
  readonly negated?: boolean;
}

const equals: Operator = { compile: (expected) => (actual) => actual === expected };
const like: Operator = { compile: (expected) => compilePattern(expected) };
const sameText: Operator = { compile: (expected) => (actual) => actual.toLowerCase() === expected.toLowerCase() };

function numeric(compare: (actual: number, expected: number) => boolean): Operator {
  return { compile: (expected) => (actual) => compare(Number(actual), Number(expected)) };
}

function dated(compare: (actual: number, expected: number) => boolean): Operator {
  return { compile: (expected) => (actual) => compare(Date.parse(actual), Date.parse(expected)) };
}

function not(operator: Operator): Operator {
  return { ...operator, negated: true };
}

const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: equals,
  StringNotEquals: not(equals),
  StringEqualsIgnoreCase: sameText,
  StringNotEqualsIgnoreCase: not(sameText),
  StringLike: like,
  StringNotLike: not(like),
  ArnEquals: like,
  ArnNotEquals: not(like),
  ArnLike: like,
  ArnNotLike: not(like),
  Bool: sameText,
  NumericEquals: numeric((actual, expected) => actual === expected),
  NumericNotEquals: not(numeric((actual, expected) => actual === expected)),
  NumericLessThan: numeric((actual, expected) => actual < expected),
  NumericLessThanEquals: numeric((actual, expected) => actual <= expected),
  NumericGreaterThan: numeric((actual, expected) => actual > expected),
  NumericGreaterThanEquals: numeric((actual, expected) => actual >= expected),
  DateEquals: dated((actual, expected) => actual === expected),
  DateNotEquals: not(dated((actual, expected) => actual === expected)),
  DateLessThan: dated((actual, expected) => actual < expected),
  DateLessThanEquals: dated((actual, expected) => actual <= expected),
  DateGreaterThan: dated((actual, expected) => actual > expected),
  DateGreaterThanEquals: dated((actual, expected) => actual >= expected),
};

/**
 * Compiles the `Condition` element of a statement: every operator and every key must hold.
 *
 * @throws AppError `TEMPLATE_INVALID` when it uses an operator that is not judged here; none is ever passed over.
 */
export function compileConditions(element: unknown): Condition {
  if (element === undefined) return () => true;
  if (!isJsonObject(element)) throw new AppError('TEMPLATE_INVALID', 'a policy has a Condition that is not an object');
  const conditions = Object.entries(element).flatMap(([operator, keys]) => {
    if (!isJsonObject(keys)) throw new AppError('TEMPLATE_INVALID', `condition ${operator} of a policy holds no keys`);
    return Object.entries(keys).map(([key, values]) => compileCondition(operator, key, [values].flat().map(String)));
  });
  return (context) => conditions.every((condition) => condition(context));
}

function compileCondition(name: string, key: string, expected: readonly string[]): Condition {
  const contextKey = key.toLowerCase();
  if (name === 'Null') {
    const mustBeAbsent = expected.includes('true');
    return (context) => (context[contextKey] === undefined) === mustBeAbsent;
  }
  const [, set, operation = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(name) ?? [];
  const operator = OPERATORS[operation];
  if (operator === undefined) {
    throw new AppError('TEMPLATE_INVALID', `a policy uses condition operator ${name}, which local mode does not judge`);
  }
  const tests = expected.map((value) => operator.compile(value));
  const isNegated = operator.negated === true;
  const fits = (value: string) => tests.some((test) => test(value)) !== isNegated;
  return (context) => {
    const values = [context[contextKey] ?? []].flat();
    if (set === 'ForAnyValue') return values.some(fits);
    if (set === 'ForAllValues') return values.every(fits);
    return values.length === 0 ? ifExists !== undefined || isNegated : values.every(fits);
  };
}
