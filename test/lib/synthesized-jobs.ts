import type { Template } from 'aws-cdk-lib/assertions';
import { Jobs, type JobsProps } from '../../lib/index.ts';
import { otherStack, plainId, resourcesOf, type SynthesizedResource, templateOf } from './synthesized-api.ts';

/** Synthesizes a stack with jobs only. */
export function synthesizeJobs(props: JobsProps): Template {
  const stack = otherStack();
  new Jobs(stack, 'Jobs', props);
  return templateOf(stack);
}

/** Properties of a queue, found by its name inside the construct. */
export function queueOf(template: Template, name: string): SynthesizedResource['Properties'] {
  return found(template, 'AWS::SQS::Queue', `JobsQueues${plain(name)}`).Properties;
}

/** Finds the logical id of a queue. */
export function queueId(template: Template, name: string): string {
  return found(template, 'AWS::SQS::Queue', `JobsQueues${plain(name)}`).logicalId;
}

/** Properties of a function by its name inside the construct. */
export function functionOf(template: Template, name: string): SynthesizedResource['Properties'] {
  return found(template, 'AWS::Lambda::Function', `JobsFunctions${plain(name)}Function`).Properties;
}

/** Lists the event source mappings of a function. */
export function mappingsOf(template: Template, name: string): readonly SynthesizedResource['Properties'][] {
  return resourcesOf(template, 'AWS::Lambda::EventSourceMapping')
    .filter(({ Properties }) => functionPattern(name).test(plainId(invokedBy(Properties))))
    .map(({ Properties }) => Properties);
}

/** Returns the permissions of a function: the logical ids of the resources by action. */
export function permissionsOf(template: Template, prefix: string): Readonly<Record<string, readonly string[]>> {
  const permissions: Record<string, string[]> = {};
  const policies = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
    .flatMap((type) => resourcesOf(template, type))
    .filter(({ logicalId }) => plainId(logicalId).startsWith(prefix));
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
  const [resource] = resourcesOf(template, type).filter(({ logicalId }) => pattern.test(plainId(logicalId)));
  if (resource === undefined) throw new Error(`there is no ${type} ${prefix}`);
  return resource;
}

/** Finds the logical id of the function or alias that a mapping invokes. */
export function invokedBy({ FunctionName }: SynthesizedResource['Properties']): string {
  return /"Ref":"(\w+)"/.exec(JSON.stringify(FunctionName))?.[1] ?? '';
}

/** A function or its alias. */
function functionPattern(name: string): RegExp {
  return new RegExp(`^JobsFunctions${plain(name)}(?:Function|Live)[0-9A-F]{8}$`);
}

function plain(name: string): string {
  return name.replaceAll('-', '');
}
