import { Stack, Token, Validations } from 'aws-cdk-lib';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct, type IConstruct } from 'constructs';

/** A granted resource with a wildcard. */
export interface Wildcard {
  /** ARN before the wildcard. */
  readonly arn: string;
  /** The construct of the ARN; absent if the ARN belongs to no construct. */
  readonly owner?: IConstruct;
  /** Rest of the ARN, with the wildcard. */
  readonly suffix: string;
  /** Why it is as narrow as it can be. */
  readonly reason: string;
}

/** Says why a permission needs its wildcard, in the words by which the AWS Solutions rules report it. */
export function explainWildcard(grantee: IGrantable, { arn, owner, suffix, reason }: Wildcard): void {
  const { grantPrincipal: principal } = grantee;
  if (!Construct.isConstruct(principal)) return;
  const stack = Stack.of(principal);
  const seen = stack.resolve(asSeenFrom(stack, owner === undefined ? stack : Stack.of(owner), arn));
  Validations.of(principal).acknowledge({ id: `AwsSolutions-IAM5[Resource::${flatten(seen)}${suffix}]`, reason });
}

/** An attribute of another stack is an export of that stack. */
function asSeenFrom(stack: Stack, owner: Stack, arn: string): unknown {
  return stack === owner || !Token.isUnresolved(arn) ? arn : owner.exportValue(arn);
}

/** Writes a reference as text: `<LogicalId.Arn>`, or the name of the export. */
function flatten(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, target] = []] = Object.entries(value);
  if (kind === 'Fn::GetAtt' && Array.isArray(target)) return `<${target.join('.')}>`;
  if (kind === 'Ref') return `<${target}>`;
  if (kind === 'Fn::Join' && Array.isArray(target))
    return (target[1] as readonly unknown[]).map(flatten).join(target[0]);
  return flatten(target);
}
