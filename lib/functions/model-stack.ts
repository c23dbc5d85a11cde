import { NestedStack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Model } from '../packaging/model.ts';

/** Maximum number of characters of a model's id in the logical id of its stack. AWS appends to it to name functions. */
const NAME_CHARACTERS = 24;

/**
 * The stateless resources of one model: a nested stack, because a stack has 500 resources and many models need more.
 *
 * Nothing in it is kept: its resources are created again if the layout of stacks changes (docs/adr/016-nested-stacks.md).
 */
export class ModelStack extends NestedStack {
  /** @param purpose - Use of the resources, for the description of the stack. */
  constructor(scope: Construct, { id }: Model, purpose: string) {
    super(scope, `Stack-${id}`, { description: `${purpose} of the model ${id}` });
    const name = id.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, NAME_CHARACTERS);
    this.nestedStackResource?.overrideLogicalId(`Model${name}${this.node.addr.slice(-8).toUpperCase()}`);
  }
}
