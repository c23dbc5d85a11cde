import { Template } from 'aws-cdk-lib/assertions';
import { Jobs, type JobsProps } from '../../lib/index.ts';
import { otherStack, resourcesOf, type SynthesizedResource } from './synthesized-api.ts';

/** The template of a stack that holds nothing but jobs. */
export function synthesizeJobs(props: JobsProps): Template {
  const stack = otherStack();
  new Jobs(stack, 'Jobs', props);
  return Template.fromStack(stack);
}

/** Properties of a queue, found by its name inside the construct. */
export function queueOf(template: Template, name: string): SynthesizedResource['Properties'] {
  return found(template, 'AWS::SQS::Queue', `JobsQueues${plain(name)}`).Properties;
}

/** Logical id of a queue. */
export function queueId(template: Template, name: string): string {
  return found(template, 'AWS::SQS::Queue', `JobsQueues${plain(name)}`).logicalId;
}

/** Properties of a function by its name inside the construct. */
export function functionOf(template: Template, name: string): SynthesizedResource['Properties'] {
  return found(template, 'AWS::Lambda::Function', `JobsFunctions${plain(name)}Function`).Properties;
}

/** Event source mappings of a function. */
export function mappingsOf(template: Template, name: string): readonly SynthesizedResource['Properties'][] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping')
    .filter(({ Properties }) => String(Properties.FunctionName.Ref).startsWith(`JobsFunctions${plain(name)}Function`))
    .map(({ Properties }) => Properties);
}

/** What a function may do: each action, and the logical ids of the resources that it may do it to. */
export function permissionsOf(template: Template, prefix: string): Readonly<Record<string, readonly string[]>> {
  const permissions: Record<string, string[]> = {};
  const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(({ logicalId }) => logicalId.startsWith(prefix));
  for (const { Action, Resource } of policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement)) {
    const targets = [Resource].flat().map(targetOf);
    for (const action of [Action].flat()) permissions[action] = [...(permissions[action] ?? []), ...targets].sort();
  }
  return permissions;
}

/** Logical id without the hash at its end, and what follows the ARN. */
function targetOf(resource: unknown): string {
  const text = JSON.stringify(resource);
  const [, id = text] = /"Fn::GetAtt":\["(\w+)"/.exec(text) ?? [];
  const [, suffix = ''] = /,"(\/[^"]+)"\]/.exec(text) ?? [];
  return `${id.replace(/[0-9A-F]{8}$/, '')}${suffix}`;
}

function found(template: Template, type: string, prefix: string): SynthesizedResource {
  const pattern = new RegExp(`^${prefix}[0-9A-F]{8}$`);
  const [resource] = resourcesOf(template, type).filter(({ logicalId }) => pattern.test(logicalId));
  if (resource === undefined) throw new Error(`there is no ${type} ${prefix}`);
  return resource;
}

function plain(name: string): string {
  return name.replaceAll('-', '');
}
