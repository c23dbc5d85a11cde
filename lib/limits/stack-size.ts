import { CfnResource, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';

/** Maximum number of resources in one CloudFormation stack. */
export const MAX_STACK_RESOURCES = 500;

/**
 * Checks that the stack of a construct does not exceed CloudFormation's limit.
 *
 * @param scope - The construct, with all of its children defined.
 * @param modelCount - Number of models that the construct serves.
 * @param modelResources - Number of resources that each model adds to the stack.
 * @throws AppError `CONFIG_INVALID` that says how many models fit.
 */
export function checkStackSize(scope: Construct, modelCount: number, modelResources: number): void {
  const total = countResources(Stack.of(scope));
  if (total <= MAX_STACK_RESOURCES) return;
  const fitting = Math.floor((MAX_STACK_RESOURCES - (total - modelCount * modelResources)) / modelResources);
  throw new AppError(
    'CONFIG_INVALID',
    `${modelCount} models need ${total} resources, a stack holds ${MAX_STACK_RESOURCES}: ` +
      `${Math.max(0, fitting)} models fit, put the others into an InferenceApi in a stack of its own`,
  );
}

/** Resources that a construct and everything below it add to a template. */
export function countResources(scope: Construct): number {
  return scope.node.findAll().filter((child) => CfnResource.isCfnResource(child)).length;
}
