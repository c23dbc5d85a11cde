import type { DeployedResource, DeployedStack } from './deployed-stack.ts';
import { readResourceTypes } from './resource-spec.ts';
import { UPDATE_RULES, type Update } from './update-rules.ts';

/** The outcome of one `cdk deploy --all`. */
export interface Outcome {
  /** Why CloudFormation, or the service of a resource, refuses the update of a stack. */
  readonly refused: readonly string[];
  /** Resources that are deleted together with their data. */
  readonly lost: readonly string[];
  /** Stacks that stay deployed although they left the app. */
  readonly orphaned: readonly string[];
  /** Functions that send requests to a deleted endpoint until the update of their own stack. */
  readonly gaps: readonly string[];
}

const TYPES = readResourceTypes();

/**
 * The rules of CloudFormation and of `cdk deploy --all`, applied to templates. Stacks are updated one after the other. Each
 * sees the others as they are deployed at that time.
 */
export class CloudFormation {
  readonly #deployed = new Map<string, DeployedStack>();
  /** Identities of resources that outlived their stack or their replacement. */
  readonly #retained = new Set<string>();

  /** Deploys the stacks of an app. A refused update is carried out as well, so that every problem is found. */
  deploy(app: readonly DeployedStack[]): Outcome {
    const outcome = { refused: [] as string[], lost: [] as string[], gaps: [] as string[] };
    for (const after of deploymentOrder(app)) {
      const update: Update = {
        before: this.#deployed.get(after.name),
        after,
        deployed: this.#deployed,
        retained: this.#retained,
        types: TYPES,
      };
      for (const rule of UPDATE_RULES)
        outcome.refused.push(...rule(update).map((problem) => `${after.name}: ${problem}`));
      outcome.lost.push(...this.#remove(update));
      if (after.resources.size === 0) this.#deployed.delete(after.name);
      else this.#deployed.set(after.name, after);
      outcome.gaps.push(...this.#gaps());
    }
    const names = new Set(app.map(({ name }) => name));
    const orphaned = [...this.#deployed.keys()].filter((name) => !names.has(name));
    return { ...outcome, gaps: [...new Set(outcome.gaps)], orphaned };
  }

  /** Removes what the update leaves out. @returns Logical ids of resources that are lost with their data. */
  #remove({ before, after }: Update): readonly string[] {
    return [...(before?.resources ?? [])].flatMap(([id, resource]) => {
      if (after.resources.has(id)) return [];
      const type = TYPES.get(resource.Type);
      if (resource.DeletionPolicy?.startsWith('Retain') === true) {
        const identity = literalIdentity(resource, type?.identity);
        if (identity !== undefined) this.#retained.add(identity);
        return [];
      }
      return type?.isStateful === true ? [id] : [];
    });
  }

  #gaps(): readonly string[] {
    const resources = [...this.#deployed.values()].flatMap((stack) => [...stack.resources]);
    const endpoints = resources.filter(([, { Type }]) => Type === 'AWS::SageMaker::Endpoint');
    const names = endpoints.map(([, { Properties }]) => String(Properties['EndpointName']));
    return resources.flatMap(([id, resource]) => {
      const endpoint = endpointOf(resource);
      return endpoint === undefined || names.some((name) => name.startsWith(`${endpoint}-v`)) ? [] : [id];
    });
  }
}

function endpointOf({ Properties: { Environment } }: DeployedResource): string | undefined {
  const variables = (Environment as { readonly Variables?: Readonly<Record<string, unknown>> } | undefined)?.Variables;
  const endpoint = variables?.['TENSORGATE_ENDPOINT'];
  return endpoint === undefined ? undefined : String(endpoint);
}

/** An identity that is the same in every stack, because it holds no reference. */
function literalIdentity(resource: DeployedResource, names: readonly string[] | undefined): string | undefined {
  const values = names?.map((name) => resource.Properties[name]);
  return values?.every((value) => typeof value === 'string') ? `${resource.Type} ${values.join(' ')}` : undefined;
}

/** The order of `cdk deploy --all`: that of the app, each stack after those that it depends on. */
function deploymentOrder(app: readonly DeployedStack[]): readonly DeployedStack[] {
  const ordered = new Set<DeployedStack>();
  const visit = (stack: DeployedStack): void => {
    if (ordered.has(stack)) return;
    for (const other of app) if (stack.after.includes(other.name)) visit(other);
    ordered.add(stack);
  };
  for (const stack of app) visit(stack);
  return [...ordered];
}
