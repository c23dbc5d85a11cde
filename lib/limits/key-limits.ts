import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';
import { countResources, MAX_STACK_RESOURCES } from './stack-size.ts';

/** The key, and the resource that adds it to its plan. */
const RESOURCES_PER_KEY = 2;

/** Maximum number of outputs of one CloudFormation stack. */
const MAX_STACK_OUTPUTS = 200;

const ADVICE = 'let callers share keys, or put some of them into another stage';

/**
 * Checks that the keys of an API fit into its stack.
 *
 * @param scope - The API, with all of its children defined.
 * @throws AppError `CONFIG_INVALID` that says how many keys fit, if the stack would be small enough without some of them.
 */
export function checkKeyResources(scope: Construct, keys: number): void {
  const room = MAX_STACK_RESOURCES - (countResources(Stack.of(scope)) - keys * RESOURCES_PER_KEY);
  const fitting = Math.floor(room / RESOURCES_PER_KEY);
  if (fitting < 0 || keys <= fitting) return;
  throw new AppError(
    'CONFIG_INVALID',
    `${keys} API keys need ${keys * RESOURCES_PER_KEY} resources, a stack holds ${MAX_STACK_RESOURCES}: ${fitting} keys fit beside the models; ${ADVICE}`,
  );
}

/**
 * Checks that a stack can have an output for each key.
 *
 * @param ids - Ids of the outputs of keys. CloudFormation ignores hyphens in them.
 * @throws AppError `CONFIG_INVALID` when there are too many, or when two have the same name.
 */
export function checkKeyOutputs(stack: Stack, ids: readonly string[]): void {
  const others = stack.node.findAll().filter((child) => child instanceof CfnOutput && Stack.of(child) === stack).length;
  if (others + ids.length > MAX_STACK_OUTPUTS) {
    throw new AppError(
      'CONFIG_INVALID',
      `${ids.length} API keys need an output each, a stack holds ${MAX_STACK_OUTPUTS}: ${MAX_STACK_OUTPUTS - others} keys fit; ${ADVICE}`,
    );
  }
  const byName = Map.groupBy(ids, (id) => id.replaceAll('-', ''));
  const clash = [...byName.values()].find(({ length }) => length > 1);
  if (clash === undefined) return;
  throw new AppError(
    'CONFIG_INVALID',
    `names of plans, tenants and keys must differ in more than hyphens, because outputs are named after them: ${clash.join(' and ')} are the same`,
  );
}
