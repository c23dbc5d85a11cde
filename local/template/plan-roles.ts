import * as v from 'valibot';
import type { NotRun } from './plan-functions.ts';
import { ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** An IAM role and every policy document that is attached to it. */
export interface RolePlan {
  readonly name: string;
  readonly arn: string;
  /** Policy documents as the template has them, intrinsic functions resolved. */
  readonly policies: readonly unknown[];
}

/** ARNs of AWS's own policies that only concern services which local mode leaves out: they allow nothing here. */
const HARMLESS_MANAGED_POLICIES = new Set([
  'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
  'arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs',
  'arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess',
  'arn:aws:iam::aws:policy/CloudWatchLambdaInsightsExecutionRolePolicy',
]);

const roleSchema = v.object({
  Policies: v.optional(v.array(v.object({ PolicyDocument: v.unknown() })), []),
  ManagedPolicyArns: v.optional(v.array(v.string()), []),
  PermissionsBoundary: v.optional(v.string()),
});

const policySchema = v.object({ PolicyDocument: v.unknown(), Roles: v.optional(v.array(v.string()), []) });

/**
 * Collects the policies of every role.
 *
 * @returns The roles, and what of their permissions cannot be judged here.
 * @throws AppError `TEMPLATE_INVALID` when a role or policy is malformed.
 */
export function planRoles(resources: readonly Resource[]): { readonly roles: RolePlan[]; readonly notRun: NotRun[] } {
  const notRun: NotRun[] = [];
  const customer = new Map(
    ofType(resources, 'AWS::IAM::ManagedPolicy').map((resource) => [
      resource.ref,
      readProperties(resource, policySchema),
    ]),
  );
  const attached = [
    ...ofType(resources, 'AWS::IAM::Policy').map((resource) => readProperties(resource, policySchema)),
    ...customer.values(),
  ];
  const roles = ofType(resources, 'AWS::IAM::Role').map((resource) => {
    const properties = readProperties(resource, roleSchema);
    const leftOut = (reason: string): void => {
      notRun.push({ resource: resource.logicalId, type: resource.type, reason });
    };
    if (properties.PermissionsBoundary !== undefined) leftOut('its permissions boundary is not judged here');
    const managed = properties.ManagedPolicyArns.flatMap((arn) => {
      const policy = customer.get(arn);
      if (policy === undefined && !HARMLESS_MANAGED_POLICIES.has(arn))
        leftOut(`${arn} is not known here and allows nothing`);
      return policy === undefined || policy.Roles.includes(resource.ref) ? [] : [policy.PolicyDocument];
    });
    return {
      name: resource.ref,
      arn: resource.attributes['Arn'] ?? '',
      policies: [
        ...properties.Policies.map((policy) => policy.PolicyDocument),
        ...attached.filter((policy) => policy.Roles.includes(resource.ref)).map((policy) => policy.PolicyDocument),
        ...managed,
      ],
    };
  });
  return { roles, notRun };
}
