import { CfnResource, Stack } from 'aws-cdk-lib';
import type { Construct, IConstruct } from 'constructs';
import { AppError } from '../../core/errors.ts';

/** Maximum number of resources in one CloudFormation stack. */
export const MAX_STACK_RESOURCES = 500;

/**
 * Checks that the stack of a construct does not exceed CloudFormation's limit. Resources of nested stacks do not count.
 *
 * @param scope - The construct, with all of its children defined.
 * @param modelCount - Number of models that the construct serves.
 * @throws AppError `CONFIG_INVALID` when it does.
 */
export function checkStackSize(scope: Construct, modelCount: number): void {
  const total = countResources(Stack.of(scope));
  if (total <= MAX_STACK_RESOURCES) return;
  throw new AppError(
    'CONFIG_INVALID',
    `${scope.node.path} with ${modelCount} models needs ${total} resources, a stack holds ${MAX_STACK_RESOURCES}: ` +
      'put some of the models into an InferenceApi and Jobs in a stack of their own',
  );
}

/** Resources of a stack, without those of the stacks nested in it. */
export function countResources(stack: Stack): number {
  return stack.node.findAll().filter((child) => CfnResource.isCfnResource(child) && child.stack === stack).length;
}

/** Returns the stack that a construct is deployed with. A nested stack is deployed with its parent. */
export function topLevelStackOf(construct: IConstruct): Stack {
  const stack = Stack.of(construct);
  return stack.nestedStackParent === undefined ? stack : topLevelStackOf(stack.nestedStackParent);
}
