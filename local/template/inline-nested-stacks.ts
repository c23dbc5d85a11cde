import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { Template, TemplateResource } from './template.ts';

/** Type of a resource that is a stack of its own. */
export const NESTED_STACK = 'AWS::CloudFormation::Stack';

/**
 * Puts the resources of nested stacks into the template of their parent, as if they had always been there: parameters and
 * outputs are replaced by what they stand for.
 *
 * The logical ids of a nested stack start with that of the stack, because many nested stacks have the same ones.
 *
 * @param nested - Templates of the nested stacks by logical id, without nested stacks of their own.
 */
export function inlineNestedStacks(template: Template, nested: ReadonlyMap<string, Template>): Template {
  if (nested.size === 0) return template;
  const inlined = new Map(
    [...nested].map(([logicalId, one]) => [logicalId, inlineOne(one, logicalId, template.Resources[logicalId])]),
  );
  const outputs = new Map([...inlined].map(([logicalId, { Outputs }]) => [logicalId, Outputs]));
  const resources = [
    ...Object.entries(template.Resources).filter(([logicalId]) => !inlined.has(logicalId)),
    ...[...inlined.values()].flatMap(({ Resources }) => Object.entries(Resources)),
  ];
  const idsOf = (logicalId: string): readonly string[] => {
    const stack = inlined.get(logicalId);
    return stack === undefined ? [logicalId] : Object.keys(stack.Resources);
  };
  const resolved = (value: Json): Json => withOutputs(value, outputs);
  const sections = [template, ...inlined.values()];
  return {
    ...template,
    Resources: Object.fromEntries(
      resources.map(([logicalId, resource]) => [
        logicalId,
        {
          ...resource,
          Properties: objectOf(resolved(resource.Properties)),
          DependsOn: [resource.DependsOn ?? []].flat().flatMap(idsOf),
        },
      ]),
    ),
    Outputs: objectsOf(resolved(template.Outputs)),
    Conditions: merged(sections.map(({ Conditions }) => Conditions)),
    Mappings: merged(sections.map(({ Mappings }) => Mappings)),
  };
}

/** One nested stack in the terms of its parent. */
function inlineOne(template: Template, prefix: string, stack: TemplateResource | undefined): Template {
  const { Properties = {}, DependsOn, Condition } = stack ?? {};
  const parameters = { ...defaultsOf(template), ...objectOf(Properties['Parameters'] ?? {}) };
  const rename = (id: string): string => `${prefix}${id}`;
  const renamed = (value: Json): Json => inParent(value, { parameters, rename });
  const renameKeys = (section: Readonly<Record<string, JsonObject>>) =>
    Object.fromEntries(Object.entries(section).map(([id, value]) => [rename(id), objectOf(renamed(value))]));
  return {
    Resources: Object.fromEntries(
      Object.entries(template.Resources).map(([id, resource]) => [
        rename(id),
        {
          ...resource,
          Properties: objectOf(renamed(resource.Properties)),
          Condition: resource.Condition === undefined ? Condition : rename(resource.Condition),
          DependsOn: [...[resource.DependsOn ?? []].flat().map(rename), ...[DependsOn ?? []].flat()],
        },
      ]),
    ),
    Outputs: Object.fromEntries(
      Object.entries(template.Outputs).map(([id, output]) => [id, objectOf(renamed(output))]),
    ),
    Conditions: renameKeys(template.Conditions),
    Mappings: renameKeys(template.Mappings),
    Parameters: {},
  };
}

function defaultsOf({ Parameters }: Template): JsonObject {
  return Object.fromEntries(
    Object.entries(Parameters).flatMap(([name, { Default: value }]) => (value === undefined ? [] : [[name, value]])),
  );
}

interface Renaming {
  readonly parameters: JsonObject;
  readonly rename: (id: string) => string;
}

/** Rewrites a value of a nested template so that it can stand in the parent. */
function inParent(value: Json, renaming: Renaming): Json {
  if (Array.isArray(value)) return value.map((item) => inParent(item, renaming));
  if (!isJsonObject(value)) return value;
  const { parameters, rename } = renaming;
  const [[key, argument] = ['', null], ...others] = Object.entries(value);
  if (others.length === 0) {
    if (key === 'Ref' && typeof argument === 'string') {
      if (argument.startsWith('AWS::')) return value;
      return Object.hasOwn(parameters, argument) ? (parameters[argument] ?? null) : { Ref: rename(argument) };
    }
    if (key === 'Condition' && typeof argument === 'string') return { Condition: rename(argument) };
    const [first, ...rest] =
      typeof argument === 'string' ? argument.split('.') : Array.isArray(argument) ? argument : [];
    if (key === 'Fn::GetAtt' && typeof first === 'string') return { 'Fn::GetAtt': [rename(first), ...rest] };
    if ((key === 'Fn::If' || key === 'Fn::FindInMap') && typeof first === 'string') {
      return { [key]: [rename(first), ...rest.map((item) => inParent(item, renaming))] };
    }
    if (key === 'Fn::Sub') return { 'Fn::Sub': substituted(argument, renaming) };
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inParent(member, renaming)]));
}

/** A parameter becomes a variable of the pattern, because it may stand for any value. */
function substituted(argument: Json, renaming: Renaming): Json {
  const [pattern, own] = Array.isArray(argument) ? argument : [argument, {}];
  const variables: Record<string, Json> = Object.fromEntries(
    Object.entries(objectOf(own ?? {})).map(([name, value]) => [name, inParent(value, renaming)]),
  );
  const text = String(pattern).replace(/\$\{([^!}][^}]*)\}/g, (placeholder, raw: string) => {
    const name = raw.trim();
    if (name.startsWith('AWS::') || Object.hasOwn(variables, name)) return placeholder;
    const value = renaming.parameters[name];
    if (value === undefined) return `\${${renaming.rename(name)}}`;
    variables[name] = value;
    return placeholder;
  });
  return [text, variables];
}

/** Replaces the outputs of nested stacks by their values. */
function withOutputs(value: Json, outputs: ReadonlyMap<string, Template['Outputs']>): Json {
  if (Array.isArray(value)) return value.map((item) => withOutputs(item, outputs));
  if (!isJsonObject(value)) return value;
  const { 'Fn::GetAtt': attribute } = value;
  const [stack, ...path] =
    typeof attribute === 'string' ? attribute.split('.') : Array.isArray(attribute) ? attribute : [];
  const own = typeof stack === 'string' ? outputs.get(stack) : undefined;
  if (own !== undefined) {
    const output = own[path.join('.').replace(/^Outputs\./, '')]?.['Value'];
    if (output !== undefined) return withOutputs(output, outputs);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withOutputs(member, outputs)]));
}

function merged(sections: readonly Readonly<Record<string, JsonObject>>[]): Readonly<Record<string, JsonObject>> {
  return Object.assign({}, ...sections);
}

function objectOf(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}

function objectsOf(value: Json): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(Object.entries(objectOf(value)).map(([name, member]) => [name, objectOf(member)]));
}
