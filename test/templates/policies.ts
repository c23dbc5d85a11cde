import { isJsonObject, type Json } from '../../local/template/json.ts';
import { readAssembly } from '../../local/template/read-assembly.ts';
import { type Resource, resolveStacks } from '../../local/template/resolve-stacks.ts';

/** A policy of an assembly. */
export interface NamedPolicy {
  /** Stack and logical id of its resource, and where in the resource it is. */
  readonly name: string;
  /** Whether it grants something to the principal that it is attached to, and not to callers of a resource. */
  readonly ofIdentity: boolean;
  readonly document: Json;
}

/** Properties that hold policies of identities. */
const IDENTITY_TYPES: ReadonlySet<string> = new Set(['AWS::IAM::Role', 'AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']);

/**
 * Finds every policy document of an assembly, with the names of resources in it as they would be deployed.
 *
 * @param directory - Folder of the cloud assembly.
 */
export async function policiesOf(directory: string): Promise<NamedPolicy[]> {
  const { resources } = resolveStacks(await readAssembly(directory));
  return resources.flatMap((resource) => documentsIn(resource.properties, [], resource));
}

/** Everything that has statements is a policy document, wherever it is. */
function documentsIn(value: Json, path: readonly string[], resource: Resource): NamedPolicy[] {
  if (Array.isArray(value))
    return value.flatMap((item: Json, index) => documentsIn(item, [...path, String(index)], resource));
  if (!isJsonObject(value)) return [];
  if (!('Statement' in value)) {
    return Object.entries(value).flatMap(([key, member]) => documentsIn(member, [...path, key], resource));
  }
  const name = [resource.stack, resource.logicalId, ...path].join('/');
  const ofIdentity = IDENTITY_TYPES.has(resource.type) && !path.includes('AssumeRolePolicyDocument');
  return [{ name, ofIdentity, document: value }];
}
