import { AppError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** Values that intrinsic functions look up in their stack. */
export interface Scope {
  /** Value of `Ref` to a resource, parameter or pseudo parameter; undefined for `AWS::NoValue`. */
  ref(name: string): Json | undefined;
  /** Value of `Fn::GetAtt`. */
  attribute(logicalId: string, attribute: string): Json;
  /** Value of `Fn::ImportValue`. */
  imported(exportName: string): Json;
  /** Value of `Fn::GetStackOutput`. */
  output(stackName: string, outputName: string): Json;
  /** Value of `Fn::FindInMap`. */
  mapped(map: string, top: string, second: string): Json;
  /** Whether a condition of the template holds. */
  holds(condition: string): boolean;
}

type Intrinsic = (argument: Json, scope: Scope) => Json | undefined;

const INTRINSICS: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope) => scope.ref(text(argument, 'Ref')),
  Condition: (argument, scope) => scope.holds(text(argument, 'Condition')),
  'Fn::GetAtt': (argument, scope) => {
    const [logicalId, ...path] = typeof argument === 'string' ? argument.split('.') : list(argument, 'Fn::GetAtt');
    return scope.attribute(text(logicalId, 'Fn::GetAtt'), path.map((part) => resolveText(part, scope)).join('.'));
  },
  'Fn::Sub': substitute,
  'Fn::Join': (argument, scope) => {
    const [separator, parts] = pair(argument, 'Fn::Join');
    return list(resolve(parts, scope), 'Fn::Join')
      .map((part) => text(part, 'Fn::Join'))
      .join(text(separator, 'Fn::Join'));
  },
  'Fn::Select': (argument, scope) => {
    const [index, from] = pair(argument, 'Fn::Select');
    const values = list(resolve(from, scope), 'Fn::Select');
    const chosen = values[Number(resolve(index, scope))];
    if (chosen === undefined) throw invalid(`Fn::Select asks for item ${String(index)} of ${values.length}`);
    return chosen;
  },
  'Fn::Split': (argument, scope) => {
    const [separator, value] = pair(argument, 'Fn::Split');
    return resolveText(value, scope).split(text(separator, 'Fn::Split'));
  },
  'Fn::If': (argument, scope) => {
    const [condition, whenTrue, whenFalse] = list(argument, 'Fn::If');
    const branch = scope.holds(text(condition, 'Fn::If')) ? whenTrue : whenFalse;
    if (branch === undefined) throw invalid('Fn::If needs a condition and two values');
    return resolve(branch, scope);
  },
  'Fn::Equals': (argument, scope) => {
    const [left, right] = pair(argument, 'Fn::Equals');
    return JSON.stringify(resolve(left, scope)) === JSON.stringify(resolve(right, scope));
  },
  'Fn::And': (argument, scope) => list(argument, 'Fn::And').every((part) => resolve(part, scope) === true),
  'Fn::Or': (argument, scope) => list(argument, 'Fn::Or').some((part) => resolve(part, scope) === true),
  'Fn::Not': (argument, scope) => !list(argument, 'Fn::Not').some((part) => resolve(part, scope) === true),
  'Fn::ImportValue': (argument, scope) => scope.imported(resolveText(argument, scope)),
  'Fn::GetStackOutput': (argument, scope) => {
    if (!isJsonObject(argument)) throw invalid('Fn::GetStackOutput needs an object');
    const { StackName: stackName = null, OutputName: outputName = null } = argument;
    return scope.output(resolveText(stackName, scope), resolveText(outputName, scope));
  },
  'Fn::FindInMap': (argument, scope) => {
    const [map, top, second] = list(argument, 'Fn::FindInMap').map((part) => resolveText(part, scope));
    return scope.mapped(map ?? '', top ?? '', second ?? '');
  },
  'Fn::Base64': (argument, scope) => Buffer.from(resolveText(argument, scope)).toString('base64'),
};

/**
 * Resolves every CloudFormation intrinsic function inside a value.
 *
 * @returns The plain value; undefined when all of it was `AWS::NoValue`, which removes what it stands for.
 * @throws AppError `TEMPLATE_INVALID` when a function is malformed, refers to nothing, or is not one local mode knows.
 */
export function resolve(value: Json, scope: Scope): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope)).filter((item) => item !== undefined);
  if (!isJsonObject(value)) return value;
  const intrinsic = intrinsicOf(value);
  if (intrinsic !== undefined) return intrinsic.apply(intrinsic.argument, scope);
  return resolveObject(value, scope);
}

/** Resolves every member of an object; members that come to `AWS::NoValue` are left out. */
export function resolveObject(value: JsonObject, scope: Scope): JsonObject {
  const members: [string, Json][] = [];
  for (const [key, member] of Object.entries(value)) {
    const resolved = resolve(member, scope);
    if (resolved !== undefined) members.push([key, resolved]);
  }
  return Object.fromEntries(members);
}

/** Returns the logical ids that a value refers to by `Ref`, `Fn::GetAtt` or `Fn::Sub`, pseudo parameters left out. */
export function references(value: Json): Set<string> {
  const found = new Set<string>();
  collect(value, found);
  return found;
}

function collect(value: Json, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, found);
  if (!isJsonObject(value)) return;
  const { Ref: ref, 'Fn::GetAtt': attribute, 'Fn::Sub': sub } = value;
  if (typeof ref === 'string' && !ref.startsWith('AWS::')) found.add(ref);
  const target = Array.isArray(attribute) ? attribute[0] : typeof attribute === 'string' ? attribute : undefined;
  if (typeof target === 'string') found.add(target.split('.')[0] ?? target);
  const pattern = Array.isArray(sub) ? sub[0] : sub;
  if (typeof pattern === 'string') for (const name of placeholders(pattern)) found.add(name.split('.')[0] ?? name);
  for (const member of Object.values(value)) collect(member, found);
}

function placeholders(pattern: string): string[] {
  return [...pattern.matchAll(/\$\{([^!}][^}]*)\}/g)]
    .map((match) => (match[1] ?? '').trim())
    .filter((name) => !name.startsWith('AWS::'));
}

function intrinsicOf(value: JsonObject): { apply: Intrinsic; argument: Json } | undefined {
  const keys = Object.keys(value);
  const [name] = keys;
  if (keys.length !== 1 || name === undefined) return undefined;
  const argument = value[name] ?? null;
  // An IAM statement may well have a single member called Condition, which then is an object.
  if (name === 'Condition' && typeof argument !== 'string') return undefined;
  const apply = INTRINSICS[name];
  if (apply === undefined && name.startsWith('Fn::')) {
    throw invalid(`the template uses ${name}, which local mode does not know`);
  }
  return apply === undefined ? undefined : { apply, argument };
}

function substitute(argument: Json, scope: Scope): string {
  const [pattern, own] = Array.isArray(argument) ? argument : [argument, {}];
  const variables = isJsonObject(own) ? own : {};
  return text(pattern, 'Fn::Sub').replace(/\$\{([^}]*)\}/g, (_, raw: string) => {
    const name = raw.trim();
    if (name.startsWith('!')) return `\${${name.slice(1)}}`;
    const variable = variables[name];
    if (variable !== undefined) return resolveText(variable, scope);
    const dot = name.indexOf('.');
    const value = dot < 0 ? scope.ref(name) : scope.attribute(name.slice(0, dot), name.slice(dot + 1));
    return text(value, 'Fn::Sub');
  });
}

function resolveText(value: Json, scope: Scope): string {
  return text(resolve(value, scope), 'an intrinsic function');
}

function text(value: Json | undefined, where: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw invalid(`${where} needs text, got ${value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80)}`);
}

function list(value: Json | undefined, where: string): readonly Json[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${where} needs a list`);
}

function pair(value: Json, where: string): readonly [Json, Json] {
  const [first, second] = list(value, where);
  if (first === undefined || second === undefined) throw invalid(`${where} needs two arguments`);
  return [first, second];
}

function invalid(message: string): AppError {
  return new AppError('TEMPLATE_INVALID', message);
}
