import { CrossStackReferences, ReferenceStrength, type Stack } from 'aws-cdk-lib';

/**
 * Lets a stack read the outputs of other stacks by `Fn::GetStackOutput` instead of importing their exports.
 *
 * CloudFormation refuses to remove an export while another stack imports it, and it updates the exporting stack first. With
 * outputs, one `cdk deploy --all` can remove models, queues and tables.
 */
export function readOutputs(stack: Stack): void {
  CrossStackReferences.of(stack).consume(ReferenceStrength.WEAK);
}

/**
 * Keeps exports that the deployed stacks of an earlier release import, so that the stacks can be updated. The updated
 * stacks import nothing.
 *
 * @param values - Attributes of resources of the stack.
 */
export function keepExports(stack: Stack, values: readonly string[]): void {
  for (const value of values) stack.exportValue(value);
}
