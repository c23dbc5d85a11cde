import { AppError } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../template/json.ts';

/** Whether an event fits a pattern. */
export type EventMatcher = (event: JsonObject) => boolean;

/** Whether any of the values that an event has in one place fits; none means that the place is not there. */
type PlaceMatcher = (values: readonly Json[]) => boolean;

type NumberTest = (value: number) => boolean;

const COMPARISONS: Readonly<Record<string, (bound: number) => NumberTest>> = {
  '<': (bound) => (value) => value < bound,
  '<=': (bound) => (value) => value <= bound,
  '=': (bound) => (value) => value === bound,
  '>': (bound) => (value) => value > bound,
  '>=': (bound) => (value) => value >= bound,
};

const OPERATORS: Readonly<Record<string, (operand: Json) => PlaceMatcher>> = {
  prefix: (operand) => anyText(operand, 'prefix', (start) => (text) => text.startsWith(start)),
  suffix: (operand) => anyText(operand, 'suffix', (end) => (text) => text.endsWith(end)),
  wildcard: (operand) => anyText(operand, 'wildcard', compileWildcard),
  'equals-ignore-case': (operand) =>
    anyText(operand, 'equals-ignore-case', (operandText) => (text) => text.toLowerCase() === operandText.toLowerCase()),
  exists: (operand) => {
    if (typeof operand !== 'boolean') throw invalid('exists takes true or false');
    return (values) => values.length > 0 === operand;
  },
  numeric: (operand) => {
    const test = compileNumeric(operand);
    return (values) => values.some((value) => typeof value === 'number' && test(value));
  },
  'anything-but': compileAnythingBut,
};

/**
 * Compiles an event pattern of EventBridge.
 *
 * Known are exact values, `prefix`, `suffix`, `wildcard`, `equals-ignore-case`, `anything-but`, `numeric`, `exists`
 * and `$or`, at any depth of the event.
 *
 * @see {@link https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html}
 * @throws AppError `TEMPLATE_INVALID` when it asks for what local mode does not know: it is never passed over.
 */
export function compilePattern(pattern: Json): EventMatcher {
  if (!isJsonObject(pattern) || Object.keys(pattern).length === 0) throw invalid('it is not an object with members');
  const members = Object.entries(pattern).map(([name, expected]) => compileMember(name, expected));
  return (event) => members.every((matches) => matches(event));
}

function compileMember(name: string, expected: Json): EventMatcher {
  if (name === '$or') return compileOr(expected);
  if (Array.isArray(expected)) {
    const alternatives = (expected as readonly Json[]).map(compileAlternative);
    if (alternatives.length === 0) throw invalid(`${name} lists no values`);
    return (event) => {
      const values = valuesOf(event[name]);
      return alternatives.some((matches) => matches(values));
    };
  }
  const matches = compilePattern(expected);
  // A member that is missing may be what the pattern wants.
  return (event) => objectsOf(event[name]).some(matches);
}

function compileOr(expected: Json): EventMatcher {
  if (!Array.isArray(expected) || expected.length < 2) throw invalid('$or takes two patterns or more');
  const alternatives = (expected as readonly Json[]).map(compilePattern);
  return (event) => alternatives.some((matches) => matches(event));
}

function compileAlternative(expected: Json): PlaceMatcher {
  if (!isJsonObject(expected)) {
    if (Array.isArray(expected)) throw invalid('a list stands within a list');
    return (values) => values.includes(expected);
  }
  const [[operator, operand] = ['', null], ...others] = Object.entries(expected);
  const compile = OPERATORS[operator];
  if (compile === undefined || others.length > 0) throw invalid(`local mode does not know ${Object.keys(expected)}`);
  return compile(operand);
}

function compileAnythingBut(operand: Json): PlaceMatcher {
  const excluded = isJsonObject(operand)
    ? [compileAlternative(operand)]
    : listOf(operand).map((value) => compileAlternative(value));
  if (isJsonObject(operand) && ['exists', 'numeric', 'anything-but'].some((name) => name in operand)) {
    throw invalid(`anything-but does not go with ${Object.keys(operand)}`);
  }
  return (values) => values.some((value) => !excluded.some((matches) => matches([value])));
}

function compileNumeric(operand: Json): NumberTest {
  const words = listOf(operand);
  const tests: NumberTest[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const bound = words[index + 1];
    const compare = COMPARISONS[String(words[index])];
    if (compare === undefined || typeof bound !== 'number')
      throw invalid('numeric takes pairs of a comparison and a number');
    tests.push(compare(bound));
  }
  if (tests.length === 0) throw invalid('numeric takes pairs of a comparison and a number');
  return (value) => tests.every((test) => test(value));
}

function compileWildcard(pattern: string): (text: string) => boolean {
  const parts = pattern.split(/(?<!\\)\*/).map((part) => part.replaceAll('\\*', '*').replaceAll('\\\\', '\\'));
  const expression = new RegExp(
    `^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`,
    's',
  );
  return (text) => expression.test(text);
}

function anyText(
  operand: Json,
  operator: string,
  compile: (expected: string) => (text: string) => boolean,
): PlaceMatcher {
  const tests = listOf(operand).map((expected) => {
    if (typeof expected !== 'string') throw invalid(`${operator} takes text`);
    return compile(expected);
  });
  return (values) => values.some((value) => typeof value === 'string' && tests.some((test) => test(value)));
}

/** An event's list matches when one of its elements does. */
function valuesOf(value: Json | undefined): readonly Json[] {
  return value === undefined || isJsonObject(value) ? [] : listOf(value);
}

function objectsOf(value: Json | undefined): readonly JsonObject[] {
  if (value === undefined) return [{}];
  return listOf(value).filter(isJsonObject);
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
}

function invalid(problem: string): AppError {
  return new AppError('TEMPLATE_INVALID', `an event pattern cannot be judged: ${problem}`);
}
