import type { DeployedResource, DeployedStack } from './deployed-stack.ts';
import type { ResourceType } from './resource-spec.ts';

/** The update of one stack. */
export interface Update {
  /** The stack as it is deployed; undefined if it is new. */
  readonly before: DeployedStack | undefined;
  readonly after: DeployedStack;
  /** Every stack as it is deployed, by name. */
  readonly deployed: ReadonlyMap<string, DeployedStack>;
  /** Identities of resources that outlived their stack. */
  readonly retained: ReadonlySet<string>;
  readonly types: ReadonlyMap<string, ResourceType>;
}

/** Returns why an update is refused. */
type Rule = (update: Update) => readonly string[];

/** Quotas of a template. */
const MAX = { resources: 500, outputs: 200, bytes: 1_000_000 };

/**
 * Intrinsic functions whose arguments may be outputs of other stacks: those with which cfn-lint's authors deployed one
 * (cfn-lint pull requests 4495 and 4519).
 */
const TAKE_OUTPUTS: ReadonlySet<string> = new Set(['Fn::Join', 'Fn::If', 'Fn::Select', 'Fn::Sub', 'Fn::Base64']);

/** Every rule by which an update can be refused. */
export const UPDATE_RULES: readonly Rule[] = [
  removesNoImportedExport,
  readsExistingOutputs,
  readsOutputsWhereAllowed,
  replacesNothingWithData,
  takesNoIdentity,
  updatesEndpointsAsAllowed,
  publishesNoUnchangedVersion,
  changesOneIndex,
  deletesNoProtectedStack,
  staysWithinQuotas,
];

/** "Export … cannot be deleted as it is in use by …": neither removal nor another value is possible. */
function removesNoImportedExport({ before, after, deployed }: Update): readonly string[] {
  const others = [...deployed.values()].filter(({ name }) => name !== after.name);
  return [...(before?.exports ?? [])].flatMap(([name, value]) => {
    if (isEqual(after.exports.get(name), value)) return [];
    const users = others.filter((stack) => importsOf(stack).has(name)).map((stack) => stack.name);
    return users.length === 0 ? [] : [`export ${name} is in use by ${users.join(', ')}`];
  });
}

/** A reference to another stack is resolved while the stack is updated. */
function readsExistingOutputs({ after, deployed }: Update): readonly string[] {
  const exported = new Set([...deployed.values()].flatMap(({ exports }) => [...exports.keys()]));
  const imports = [...importsOf(after)].filter((name) => !exported.has(name)).map((name) => `no stack exports ${name}`);
  const reads = references(after, 'Fn::GetStackOutput').flatMap((target) => {
    const { StackName: stack, OutputName: output } = target as Readonly<Record<string, string>>;
    const known = stack !== undefined && output !== undefined && deployed.get(stack)?.outputs.has(output);
    return known === true ? [] : [`${stack} has no output ${output}`];
  });
  return [...imports, ...reads];
}

/** Fails for an output of another stack in an intrinsic function that may not take one. */
function readsOutputsWhereAllowed({ after }: Update): readonly string[] {
  const refused = new Set<string>();
  const visit = (value: unknown, within: string | undefined): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === 'Fn::GetStackOutput' && within !== undefined && !TAKE_OUTPUTS.has(within)) refused.add(within);
      visit(member, key.startsWith('Fn::') ? key : within);
    }
  };
  for (const { Properties } of after.resources.values()) visit(Properties, undefined);
  return [...refused].map((name) => `${name} takes no output of another stack`);
}

function replacesNothingWithData(update: Update): readonly string[] {
  return kept(update).flatMap(({ id, was, is }) => {
    const type = update.types.get(is.Type);
    return type?.isStateful === true && isReplaced(was, is, type)
      ? [`${id}, ${is.Type}, is replaced and loses its data`]
      : [];
  });
}

/** New resources are created before old ones are deleted, so they cannot have the name of one. */
function takesNoIdentity(update: Update): readonly string[] {
  const { before, after, deployed, retained, types } = update;
  const others = [...deployed.values()].filter(({ name }) => name !== after.name);
  const taken = new Map(
    [...others, ...(before === undefined ? [] : [before])].flatMap((stack) =>
      [...stack.resources].flatMap(([id, resource]): [string, string][] => {
        const identity = identityOf(stack, resource, types);
        return identity === undefined ? [] : [[identity, `${stack.name}/${id}`]];
      }),
    ),
  );
  return [...after.resources].flatMap(([id, resource]) => {
    const identity = identityOf(after, resource, types);
    if (identity === undefined) return [];
    const was = before?.resources.get(id);
    const type = types.get(resource.Type);
    const isCreated = was?.Type !== resource.Type || (type !== undefined && isReplaced(was, resource, type));
    const owner = retained.has(identity) ? 'a retained resource' : taken.get(identity);
    return isCreated && owner !== undefined ? [`${id} is created as ${identity}, which ${owner} still is`] : [];
  });
}

/**
 * Returns updates that SageMaker refuses: another instance type for a variant that is registered for scaling, or its removal; other variants
 * together with a deployment policy; another kind of endpoint.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
 */
function updatesEndpointsAsAllowed(update: Update): readonly string[] {
  const { before, after } = update;
  const endpoints = kept(update).filter(({ is }) => is.Type === 'AWS::SageMaker::Endpoint');
  return endpoints.flatMap(({ was, is }) => {
    const name = String(is.Properties['EndpointName']);
    const [old, now] = [configOf(before, was), configOf(after, is)];
    if (name !== was.Properties['EndpointName'] || old === undefined || now === undefined) return [];
    const problems =
      'AsyncInferenceConfig' in old === 'AsyncInferenceConfig' in now ? [] : [`${name} changes its mode`];
    for (const [variant, type] of variantsOf(old)) {
      const scales = [...(before?.resources.values() ?? [])].some(
        ({ Properties }) => Properties['ResourceId'] === `endpoint/${name}/variant/${variant}`,
      );
      if (!variantsOf(now).has(variant)) problems.push(`${name} loses its variant ${variant}`);
      else if (scales && variantsOf(now).get(variant) !== type)
        problems.push(`${name} scales, and its instance type changes`);
    }
    return problems;
  });
}

/** Properties of a function that its versions do not hold. */
const OUTSIDE_VERSIONS = ['ReservedConcurrentExecutions', 'Tags', 'CodeSigningConfigArn'];

/** "A version for this Lambda function exists": a version needs changed code or configuration. */
function publishesNoUnchangedVersion(update: Update): readonly string[] {
  const { before, after, deployed } = update;
  return [...after.resources].flatMap(([id, { Type, Properties }]) => {
    if (Type !== 'AWS::Lambda::Version' || before === undefined || before.resources.has(id)) return [];
    const functionId = (Properties['FunctionName'] as { readonly Ref?: string }).Ref ?? '';
    const [was, is] = [before.resources.get(functionId), after.resources.get(functionId)];
    const published = [...before.resources.values()].some(
      (other) => other.Type === Type && isEqual(other.Properties['FunctionName'], Properties['FunctionName']),
    );
    if (was === undefined || is === undefined || !published) return [];
    const versioned = (resource: DeployedResource) =>
      follow(
        Object.entries(resource.Properties).filter(([name]) => !OUTSIDE_VERSIONS.includes(name)),
        deployed,
      );
    return isEqual(versioned(was), versioned(is)) ? [`${id} is a version of ${functionId}, which does not change`] : [];
  });
}

/** DynamoDB creates or deletes one index of a table at a time. */
function changesOneIndex(update: Update): readonly string[] {
  const namesOf = ({ Properties: { GlobalSecondaryIndexes: indexes } }: DeployedResource) =>
    new Set(((indexes ?? []) as readonly { readonly IndexName: string }[]).map(({ IndexName }) => IndexName));
  return kept(update).flatMap(({ id, was, is }) => {
    const changed = namesOf(was).symmetricDifference(namesOf(is)).size;
    return changed > 1 ? [`${id} changes ${changed} indexes, 1 is possible`] : [];
  });
}

function deletesNoProtectedStack({ before, after }: Update): readonly string[] {
  const isDeleted = before !== undefined && after.resources.size === 0;
  return isDeleted && before.isProtected ? ['the stack is deleted, and protected'] : [];
}

function staysWithinQuotas({ after }: Update): readonly string[] {
  return after.sizes.flatMap(({ template, ...sizes }) =>
    Object.entries(MAX).flatMap(([name, most]) => {
      const size = sizes[name as keyof typeof MAX];
      return size > most ? [`${template} has ${size} ${name}, ${most} are possible`] : [];
    }),
  );
}

/** Resources that the update keeps or replaces. */
function kept({ before, after }: Update): readonly { id: string; was: DeployedResource; is: DeployedResource }[] {
  return [...after.resources].flatMap(([id, is]) => {
    const was = before?.resources.get(id);
    return was === undefined ? [] : [{ id, was, is }];
  });
}

function isReplaced(was: DeployedResource, is: DeployedResource, { replacedBy }: ResourceType): boolean {
  return was.Type !== is.Type || replacedBy.some((name) => !isEqual(was.Properties[name], is.Properties[name]));
}

/** Names of a resource by which its service knows it; references are those of one stack. */
function identityOf(
  { name: stack }: DeployedStack,
  { Type, Properties }: DeployedResource,
  types: Update['types'],
): string | undefined {
  const values = types.get(Type)?.identity?.map((name) => Properties[name]);
  if (values === undefined || values.some((value) => value === undefined)) return undefined;
  const texts = values.map((value) => (typeof value === 'string' ? value : `${stack} ${JSON.stringify(value)}`));
  return `${Type} ${texts.join(' ')}`;
}

function configOf(
  stack: DeployedStack | undefined,
  endpoint: DeployedResource,
): DeployedResource['Properties'] | undefined {
  const name = endpoint.Properties['EndpointConfigName'] as { readonly 'Fn::GetAtt'?: readonly string[] };
  return stack?.resources.get(name['Fn::GetAtt']?.[0] ?? '')?.Properties;
}

/** Instance types by the name of their variant. */
function variantsOf({ ProductionVariants }: DeployedResource['Properties']): ReadonlyMap<string, string> {
  const variants = ProductionVariants as readonly { readonly VariantName: string; readonly InstanceType: string }[];
  return new Map(variants.map(({ VariantName, InstanceType }) => [VariantName, InstanceType]));
}

function importsOf(stack: DeployedStack): ReadonlySet<string> {
  return new Set(references(stack, 'Fn::ImportValue').map(String));
}

/** Arguments of an intrinsic function, wherever the resources and outputs of a stack use it. */
function references({ resources, outputs }: DeployedStack, intrinsic: string): readonly unknown[] {
  const found: unknown[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === intrinsic) found.push(member);
      visit(member);
    }
  };
  visit([...resources.values()]);
  visit([...outputs.values()]);
  return found;
}

/** Replaces references to other stacks by the values that they have, so that both kinds of references can be compared. */
function follow(value: unknown, deployed: Update['deployed']): unknown {
  if (Array.isArray(value)) return value.map((item) => follow(item, deployed));
  if (typeof value !== 'object' || value === null) return value;
  const [[name, target] = []] = Object.entries(value);
  for (const stack of deployed.values()) {
    if (name === 'Fn::ImportValue' && stack.exports.has(target)) return [stack.name, stack.exports.get(target)];
    if (name === 'Fn::GetStackOutput' && stack.name === target.StackName)
      return [stack.name, stack.outputs.get(target.OutputName)];
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, follow(member, deployed)]));
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
