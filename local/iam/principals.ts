import { LOCAL_ACCOUNT } from '../template/account.ts';
import type { FunctionPlan } from '../template/plan-functions.ts';
import type { RolePlan } from '../template/plan-roles.ts';
import { compilePolicies, type Judge } from './policy.ts';

/** The signer of a request. */
export interface Principal {
  /** ARN as error messages name it. */
  readonly arn: string;
  readonly judge: Judge;
  /** The function with these credentials; undefined for the developer. */
  readonly functionName: string | undefined;
}

/** Access key id and secret with which a developer's own tools may do everything. */
export const DEVELOPER_CREDENTIALS = 'local';

const DEVELOPER: Principal = {
  arn: `arn:${LOCAL_ACCOUNT.partition}:iam::${LOCAL_ACCOUNT.accountId}:root`,
  judge: () => 'allowed',
  functionName: undefined,
};

/**
 * Lists the principals: each function with its role, and the developer.
 *
 * @param accessKeyOf - Gives the access key id of a function by name.
 * @returns Principals by access key id.
 * @throws AppError `TEMPLATE_INVALID` when a role of a function has a policy that cannot be judged.
 */
export function principals(
  functions: readonly FunctionPlan[],
  roles: readonly RolePlan[],
  accessKeyOf: (functionName: string) => string,
): ReadonlyMap<string, Principal> {
  const byKey = new Map<string, Principal>([[DEVELOPER_CREDENTIALS, DEVELOPER]]);
  for (const { name, roleArn } of functions) {
    const role = roles.find(({ arn }) => arn === roleArn);
    byKey.set(accessKeyOf(name), {
      arn: `arn:${LOCAL_ACCOUNT.partition}:sts::${LOCAL_ACCOUNT.accountId}:assumed-role/${role?.name ?? 'unknown'}/${name}`,
      judge: compilePolicies(role?.policies ?? []),
      functionName: name,
    });
  }
  return byKey;
}
