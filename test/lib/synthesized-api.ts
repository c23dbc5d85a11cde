import { App, NestedStack, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { InferenceApi, type InferenceApiProps } from '../../lib/index.ts';
import { inlineNestedStacks } from '../../local/template/inline-nested-stacks.ts';
import type { Template as ParsedTemplate } from '../../local/template/template.ts';
import { temporaryDirectory } from './packed-models.ts';

/** Creates an app that leaves packages in place instead of copying tens of megabytes for each test. */
export function testApp(context: Readonly<Record<string, unknown>> = {}): App {
  return new App({
    outdir: temporaryDirectory(),
    analyticsReporting: false,
    autoSynth: false,
    context: { 'aws:cdk:disable-asset-staging': true, ...context },
  });
}

/** Creates a stack that is not part of this product. */
export function otherStack(): Stack {
  return new Stack(testApp(), 'Test');
}

/** Synthesizes a stack with one API only. */
export function synthesizeApi(props: InferenceApiProps): Template {
  const stack = otherStack();
  new InferenceApi(stack, 'Api', props);
  return templateOf(stack);
}

/** Returns the template of a stack with its nested stacks inlined. The logical ids of their resources start with that of the
 * nested stack. */
export function templateOf(stack: Stack): Template {
  const own = Template.fromStack(stack).toJSON();
  return Template.fromJSON({ ...inlineNestedStacks(parsedTemplate(own), nestedTemplates(stack)) });
}

function nestedTemplates(stack: Stack): ReadonlyMap<string, ParsedTemplate> {
  const nested = stack.node.findAll().filter((child) => NestedStack.isNestedStack(child));
  return new Map(
    nested.map((one) => [
      String(stack.resolve(one.nestedStackResource?.logicalId)),
      parsedTemplate(Template.fromStack(one).toJSON()),
    ]),
  );
}

/** Sections that a template lacks are empty. */
function parsedTemplate(template: Record<string, unknown>): ParsedTemplate {
  const { Resources, ...sections }: Partial<ParsedTemplate> = template;
  const resources = Object.entries(Resources ?? {}).map(([id, one]) => [
    id,
    { ...one, Properties: one.Properties ?? {} },
  ]);
  return {
    Outputs: {},
    Parameters: {},
    Mappings: {},
    Conditions: {},
    ...sections,
    Resources: Object.fromEntries(resources),
  };
}

/** A resource of a template, as far as tests look into it. */
export interface SynthesizedResource {
  readonly logicalId: string;
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into properties of any shape
  readonly Properties: any;
  readonly DeletionPolicy?: string;
  readonly DependsOn?: readonly string[];
}

/** Returns the logical id that a resource in the stack of a model would have in the stack of the API or of the jobs. */
export function plainId(logicalId: string): string {
  return logicalId.replace(/^Model\w*?[0-9A-F]{8}(?=runjobs)/, 'JobsFunctions').replace(/^Model\w*?[0-9A-F]{8}/, 'Api');
}

/** Resources of one type. */
export function resourcesOf(template: Template, type: string): readonly SynthesizedResource[] {
  return Object.entries(template.findResources(type)).map(([logicalId, resource]) => ({
    logicalId,
    ...(resource as Omit<SynthesizedResource, 'logicalId'>),
  }));
}

/** Properties of the one resource of a type. */
export function propertiesOf(template: Template, type: string): SynthesizedResource['Properties'] {
  const [resource, ...others] = resourcesOf(template, type);
  if (resource === undefined || others.length > 0) throw new Error(`expected one ${type}, got ${others.length + 1}`);
  return resource.Properties;
}

/** Methods of the API by `METHOD /path`. */
export function methodsByRoute(template: Template): ReadonlyMap<string, SynthesizedResource> {
  const resources = new Map(resourcesOf(template, 'AWS::ApiGateway::Resource').map((one) => [one.logicalId, one]));
  const pathOf = (logicalId: string | undefined): string => {
    const resource = logicalId === undefined ? undefined : resources.get(logicalId);
    if (resource === undefined) return '';
    return `${pathOf(resource.Properties.ParentId.Ref)}/${resource.Properties.PathPart}`;
  };
  return new Map(
    resourcesOf(template, 'AWS::ApiGateway::Method').map((method) => [
      `${method.Properties.HttpMethod} ${pathOf(method.Properties.ResourceId.Ref)}`,
      method,
    ]),
  );
}

/** Renders a template of the gateway: fills in values of `$context` and parses the result. */
export function renderTemplate(template: string): Record<string, unknown> {
  return JSON.parse(template.replaceAll('$context.requestId', '6f3a9c1e-0000-4000-8000-000000000000'));
}
