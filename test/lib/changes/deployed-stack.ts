import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, NestedStack, Stack } from 'aws-cdk-lib';

/** A resource of a deployed stack. */
export interface DeployedResource {
  readonly Type: string;
  /** Its references name resources of nested stacks by their path. */
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

/** Sizes of a template. */
export interface TemplateSize {
  readonly template: string;
  readonly resources: number;
  readonly outputs: number;
  readonly bytes: number;
}

/** A stack with its nested stacks, as CloudFormation knows it. */
export interface DeployedStack {
  readonly name: string;
  /** Names of the stacks that `cdk deploy` deploys first. */
  readonly after: readonly string[];
  /** Whether CloudFormation refuses to delete it. */
  readonly isProtected: boolean;
  /** Resources by logical id; those of a nested stack have its id in front, and a slash. */
  readonly resources: ReadonlyMap<string, DeployedResource>;
  /** Values of outputs by logical id. */
  readonly outputs: ReadonlyMap<string, unknown>;
  /** Values of outputs by the name of their export. */
  readonly exports: ReadonlyMap<string, unknown>;
  readonly sizes: readonly TemplateSize[];
}

/** A template, as far as the rules look at it. */
interface Template {
  readonly Resources?: Readonly<
    Record<string, Omit<DeployedResource, 'Properties'> & { readonly Properties?: object }>
  >;
  readonly Outputs?: Readonly<
    Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }>
  >;
  readonly Parameters?: Readonly<Record<string, unknown>>;
}

/** Synthesizes an app and reads its stacks in the order of the app. */
export function synthesize(app: App): readonly DeployedStack[] {
  const { directory } = app.synth();
  const stacks = app.node.findAll().filter((construct) => Stack.isStack(construct));
  const templates = new Map(
    stacks.map((stack): [Stack, string] => [stack, readFileSync(join(directory, stack.templateFile), 'utf8')]),
  );
  return stacks.filter((stack) => !stack.nested).map((stack) => readStack(stack, templates));
}

function readStack(stack: Stack, templates: ReadonlyMap<Stack, string>): DeployedStack {
  const reader = new TemplateReader(templates);
  const outputs = reader.read(stack, '', {});
  return {
    name: stack.stackName,
    after: stack.dependencies.map(({ stackName }) => stackName),
    isProtected: stack.terminationProtection === true,
    resources: reader.resources,
    outputs,
    exports: reader.exports,
    sizes: reader.sizes,
  };
}

/** Reads a template and those of its nested stacks, whose parameters and outputs it replaces by their values. */
class TemplateReader {
  readonly resources = new Map<string, DeployedResource>();
  readonly exports = new Map<string, unknown>();
  readonly sizes: TemplateSize[] = [];
  readonly #templates: ReadonlyMap<Stack, string>;

  constructor(templates: ReadonlyMap<Stack, string>) {
    this.#templates = templates;
  }

  /** @returns Values of the outputs by logical id. */
  read(stack: Stack, path: string, parameters: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
    const text = this.#templates.get(stack) ?? '{}';
    const { Resources = {}, Outputs = {} }: Template = JSON.parse(text);
    this.sizes.push({
      template: `${stack.stackName}${path}`,
      resources: Object.keys(Resources).length,
      outputs: Object.keys(Outputs).length,
      bytes: Buffer.byteLength(text),
    });
    const nested = new Map(nestedStacks(stack).map((child) => [idOf(child), child]));
    const outputsOf = new Map<string, ReadonlyMap<string, unknown>>();
    const qualify = (value: unknown): unknown => this.#qualify(value, { path, parameters, outputsOf });
    for (const id of inOrder(Resources, nested)) {
      const resource = Resources[id];
      const child = nested.get(id);
      if (resource === undefined) continue;
      const Properties = qualify(resource.Properties ?? {}) as DeployedResource['Properties'];
      this.resources.set(`${path}${id}`, { ...resource, Properties });
      if (child === undefined) continue;
      const given = (Properties['Parameters'] ?? {}) as Readonly<Record<string, unknown>>;
      outputsOf.set(id, this.read(child, `${path}${id}/`, given));
    }
    for (const { Export: exported, Value } of Object.values(Outputs)) {
      if (exported !== undefined) this.exports.set(String(exported.Name), qualify(Value));
    }
    return new Map(Object.entries(Outputs).map(([id, { Value }]) => [id, qualify(Value)]));
  }

  #qualify(value: unknown, scope: Scope): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#qualify(item, scope));
    if (typeof value !== 'object' || value === null) return value;
    const [[name, target] = []] = Object.entries(value);
    if (name === 'Ref' && typeof target === 'string') {
      if (target in scope.parameters) return scope.parameters[target];
      return target.startsWith('AWS::') ? value : { Ref: `${scope.path}${target}` };
    }
    if (name === 'Fn::GetAtt' && Array.isArray(target)) {
      const [id, attribute] = target.map(String);
      const output = scope.outputsOf.get(id ?? '')?.get((attribute ?? '').replace(/^Outputs\./, ''));
      return output ?? { 'Fn::GetAtt': [`${scope.path}${id}`, attribute] };
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#qualify(member, scope)]));
  }
}

/** The values that references of a template can name. */
interface Scope {
  readonly path: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputsOf: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
}

function nestedStacks(stack: Stack): readonly NestedStack[] {
  return stack.node
    .findAll()
    .filter((child) => NestedStack.isNestedStack(child))
    .filter(({ nestedStackParent }) => nestedStackParent === stack);
}

function idOf({ nestedStackResource }: NestedStack): string {
  return nestedStackResource === undefined ? '' : Stack.of(nestedStackResource).resolve(nestedStackResource.logicalId);
}

/** Nested stacks after those whose outputs they get, and before the resources that read their outputs. */
function inOrder(resources: NonNullable<Template['Resources']>, nested: ReadonlyMap<string, NestedStack>): string[] {
  const ordered = new Set<string>();
  const visit = (id: string): void => {
    if (ordered.has(id)) return;
    const text = JSON.stringify(resources[id]);
    for (const other of nested.keys()) if (other !== id && text.includes(`"${other}"`)) visit(other);
    ordered.add(id);
  };
  for (const id of [...nested.keys(), ...Object.keys(resources)]) visit(id);
  return [...ordered];
}
