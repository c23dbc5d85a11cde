import { createHash } from 'node:crypto';
import { Grant, type IGrantable, ManagedPolicy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';

/**
 * Number of policies over which the models are spread. A role takes 10 managed policies of 6,144 characters, and 10,240
 * characters of inline policies altogether; the ARN of a queue or function has up to 140.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
const POLICIES = 8;

/**
 * Grants an action on resources of many models: a role gets managed policies, each for some of the models. The id of a model
 * decides which one, so that another model changes one policy only.
 *
 * @param resourceArns - ARNs by model id.
 */
export function grantByModel(
  grantee: IGrantable,
  action: string,
  resourceArns: ReadonlyMap<string, readonly string[]>,
): void {
  const byPolicy = Map.groupBy(resourceArns, ([id]) => policyOf(id));
  for (const [index, models] of [...byPolicy].sort(([one], [other]) => one - other)) {
    const resources = models.flatMap(([, arns]) => arns);
    if (resources.length === 0) continue;
    const { grantPrincipal: role } = grantee;
    if (role instanceof Role)
      policyIn(role, index).addStatements(new PolicyStatement({ actions: [action], resources }));
    else Grant.addToPrincipal({ grantee, actions: [action], resourceArns: resources });
  }
}

function policyIn(role: Role, index: number): ManagedPolicy {
  const id = `Models${index}`;
  const existing = role.node.tryFindChild(id);
  if (existing instanceof ManagedPolicy) return existing;
  const policy = new ManagedPolicy(role, id);
  role.addManagedPolicy(policy);
  return policy;
}

function policyOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE() % POLICIES;
}
