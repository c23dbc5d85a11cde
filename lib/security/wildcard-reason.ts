import { Stack, Validations } from 'aws-cdk-lib';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** A granted resource with a wildcard. */
export interface Wildcard {
  /** ARN before the wildcard. */
  readonly arn: string;
  /** Rest of the ARN, with the wildcard. */
  readonly suffix: string;
  /** Why it is as narrow as it can be. */
  readonly reason: string;
}

/**
 * Says why a permission needs its wildcard, in the words by which the AWS Solutions rules report it.
 *
 * The words hold the ARN as the stack of the grantee writes it. An ARN of another stack is known only after the CDK has
 * resolved the references between stacks, which it does before it validates constructs.
 */
export function explainWildcard(grantee: IGrantable, { arn, suffix, reason }: Wildcard): void {
  const { grantPrincipal: principal } = grantee;
  if (!Construct.isConstruct(principal)) return;
  const validate = (): string[] => {
    const written = flatten(Stack.of(principal).resolve(arn));
    Validations.of(principal).acknowledge({ id: `AwsSolutions-IAM5[Resource::${written}${suffix}]`, reason });
    return [];
  };
  principal.node.addValidation({ validate });
}

/** Writes a reference as the rules do: `<LogicalId.Arn>`, the name of an export, or any other function as JSON. */
function flatten(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, target] = []] = Object.entries(value);
  if (kind === 'Fn::GetAtt' && Array.isArray(target)) return `<${target.join('.')}>`;
  if (kind === 'Ref') return `<${target}>`;
  if (kind === 'Fn::ImportValue') return flatten(target);
  if (kind === 'Fn::Join' && Array.isArray(target))
    return (target[1] as readonly unknown[]).map(flatten).join(target[0]);
  return JSON.stringify(value);
}
