import { type Stack, type StackProps, Validations } from 'aws-cdk-lib';

/**
 * Lets a stack be empty. CloudFormation accepts no empty template, and gets none: `cdk deploy` skips an empty stack that is
 * not deployed, and deletes one that is.
 */
export function allowEmpty(stack: Stack): void {
  const reason = 'cdk deploy deletes a stack without resources.';
  Validations.of(stack).acknowledge({ id: 'CloudFormation-Validate::F0001', reason });
}

/** Returns the settings of an empty stack. The resource by which the CDK reports its use would keep the stack deployed. */
export function withoutMetadata<Props extends StackProps>(props: Props): Props {
  return { ...props, analyticsReporting: false };
}
