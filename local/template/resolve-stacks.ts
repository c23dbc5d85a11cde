import { AppError } from '../../core/errors.ts';
import { LOCAL_ACCOUNT, localArn } from './account.ts';
import { dependencyOrder } from './dependency-order.ts';
import { resolve, resolveObject, type Scope } from './intrinsics.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { attributeOf, functionArn, type NamedResource, type PhysicalName, physicalName } from './physical-names.ts';
import type { StackDocument } from './read-assembly.ts';
import type { Template } from './template.ts';

/** A resource with its intrinsic functions resolved and its names given. */
export interface Resource {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly properties: JsonObject;
  /** Value of `Ref`. */
  readonly ref: string;
  /** Values of `Fn::GetAtt`, for the supported attributes. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** An output of a stack. */
export interface Output {
  readonly stack: string;
  readonly logicalId: string;
  readonly value: Json;
  readonly description: string | undefined;
}

/** The resolved templates of an app. */
export interface ResolvedApp {
  /** Every resource whose condition holds, each after what it refers to. */
  readonly resources: readonly Resource[];
  /** Every output whose condition holds. */
  readonly outputs: readonly Output[];
}

/** Values that stacks publish for other stacks. */
interface Published {
  /** Values by the name of their export. */
  readonly exports: Map<string, Json>;
  /** Values by the name of the stack, and the logical id of the output. */
  readonly outputs: Map<string, Map<string, Json>>;
}

/**
 * Resolves the templates of an app: intrinsic functions, conditions, references from stack to stack, and physical names.
 *
 * @param stacks - Stacks, those that others refer to first.
 * @throws AppError `TEMPLATE_INVALID` when something refers to nothing or cannot be resolved.
 */
export function resolveStacks(stacks: readonly StackDocument[]): ResolvedApp {
  const published: Published = { exports: new Map(), outputs: new Map() };
  const resolved = stacks.map((stack) => new StackResolver(stack, published).run());
  return {
    resources: resolved.flatMap(({ resources }) => resources),
    outputs: resolved.flatMap(({ outputs }) => outputs),
  };
}

interface Created {
  readonly resource: NamedResource;
  readonly name: PhysicalName;
}

class StackResolver implements Scope {
  readonly #stack: string;
  readonly #template: Template;
  readonly #published: Published;
  readonly #created = new Map<string, Created>();
  readonly #versions = new Map<string, number>();

  constructor(document: StackDocument, published: Published) {
    this.#stack = document.name;
    this.#template = document.template;
    this.#published = published;
  }

  run(): ResolvedApp {
    for (const logicalId of dependencyOrder(this.#template.Resources)) this.#create(logicalId);
    const outputs = Object.entries(this.#template.Outputs).flatMap(([logicalId, output]) =>
      this.#output(logicalId, output),
    );
    this.#published.outputs.set(this.#stack, new Map(outputs.map(({ logicalId, value }) => [logicalId, value])));
    const resources = [...this.#created.values()].map(({ resource, name }) => ({
      stack: resource.stack,
      logicalId: resource.logicalId,
      type: resource.type,
      properties: resource.properties,
      ref: name.ref,
      attributes: name.attributes,
    }));
    return { resources, outputs };
  }

  ref(name: string): Json | undefined {
    if (name.startsWith('AWS::')) return this.#pseudoParameter(name);
    const parameter = this.#template.Parameters[name];
    if (parameter !== undefined) return this.#parameter(name, parameter);
    return this.#find(name).name.ref;
  }

  attribute(logicalId: string, attribute: string): Json {
    const { resource, name } = this.#find(logicalId);
    return attributeOf(resource, name, attribute);
  }

  imported(exportName: string): Json {
    const value = this.#published.exports.get(exportName);
    if (value === undefined) throw this.#invalid(`imports ${exportName}, which no stack before it exports`);
    return value;
  }

  output(stackName: string, outputName: string): Json {
    const value = this.#published.outputs.get(stackName)?.get(outputName);
    if (value === undefined)
      throw this.#invalid(`reads the output ${outputName} of ${stackName}, which no stack before it has`);
    return value;
  }

  mapped(map: string, top: string, second: string): Json {
    const row = this.#template.Mappings[map]?.[top];
    const value = isJsonObject(row) ? row[second] : undefined;
    if (value === undefined) throw this.#invalid(`has no mapping ${map}.${top}.${second}`);
    return value;
  }

  holds(condition: string): boolean {
    const definition = this.#template.Conditions[condition];
    if (definition === undefined) throw this.#invalid(`has no condition ${condition}`);
    return resolve(definition, this) === true;
  }

  #create(logicalId: string): void {
    const template = this.#template.Resources[logicalId];
    if (template === undefined || (template.Condition !== undefined && !this.holds(template.Condition))) return;
    const properties = resolveObject(template.Properties, this);
    const earlierVersions = template.Type === 'AWS::Lambda::Version' ? this.#countVersion(properties) : 0;
    const resource = { stack: this.#stack, logicalId, type: template.Type, properties, earlierVersions };
    this.#created.set(logicalId, { resource, name: physicalName(resource) });
  }

  #countVersion(properties: JsonObject): number {
    const arn = functionArn(String(properties['FunctionName']));
    const earlier = this.#versions.get(arn) ?? 0;
    this.#versions.set(arn, earlier + 1);
    return earlier;
  }

  #output(logicalId: string, output: JsonObject): Output[] {
    const { Export: exported, Value: template, Condition: condition, Description: description } = output;
    if (template === undefined || (typeof condition === 'string' && !this.holds(condition))) return [];
    const value = resolve(template, this);
    if (value === undefined) return [];
    const name = isJsonObject(exported) ? resolve(exported['Name'] ?? null, this) : undefined;
    if (typeof name === 'string') this.#published.exports.set(name, value);
    const text = typeof description === 'string' ? description : undefined;
    return [{ stack: this.#stack, logicalId, value, description: text }];
  }

  #find(logicalId: string): Created {
    const found = this.#created.get(logicalId);
    if (found === undefined) throw this.#invalid(`refers to ${logicalId}, which is not in it`);
    return found;
  }

  #parameter(name: string, { Default: value }: JsonObject): Json {
    if (value === undefined)
      throw this.#invalid(`has parameter ${name} without a default, which local mode cannot ask for`);
    return value;
  }

  #pseudoParameter(name: string): Json | undefined {
    const values: Readonly<Record<string, Json | undefined>> = {
      'AWS::AccountId': LOCAL_ACCOUNT.accountId,
      'AWS::NoValue': undefined,
      'AWS::NotificationARNs': [],
      'AWS::Partition': LOCAL_ACCOUNT.partition,
      'AWS::Region': LOCAL_ACCOUNT.region,
      'AWS::StackId': localArn('cloudformation', `stack/${this.#stack}/local`),
      'AWS::StackName': this.#stack,
      'AWS::URLSuffix': LOCAL_ACCOUNT.urlSuffix,
    };
    if (!(name in values)) throw this.#invalid(`uses ${name}, which is not a pseudo parameter`);
    return values[name];
  }

  #invalid(what: string): AppError {
    return new AppError('TEMPLATE_INVALID', `template of stack ${this.#stack} ${what}`);
  }
}
