import * as v from 'valibot';
import { localArn } from './account.ts';
import { ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** One parameter of AWS Systems Manager. */
export interface ParameterPlan {
  readonly name: string;
  readonly arn: string;
  readonly type: string;
  readonly value: string;
}

const parameterSchema = v.object({ Type: v.string(), Value: v.string('must be text') });

/**
 * Describes the parameters of an app.
 *
 * @throws AppError `TEMPLATE_INVALID` when a parameter is malformed.
 */
export function planParameters(resources: readonly Resource[]): ParameterPlan[] {
  return ofType(resources, 'AWS::SSM::Parameter').map((resource) => {
    const { Type: type, Value: value } = readProperties(resource, parameterSchema);
    return { name: resource.ref, arn: parameterArn(resource.ref), type, value };
  });
}

/** Returns the ARN of a parameter: the slash at the beginning of a name is that between type and name. */
export function parameterArn(name: string): string {
  return localArn('ssm', `parameter/${name.replace(/^\//, '')}`);
}
