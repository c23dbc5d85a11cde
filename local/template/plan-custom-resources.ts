import * as v from 'valibot';
import { isCustomResource } from './custom-attributes.ts';
import { functionArn } from './physical-names.ts';
import { readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** A custom resource: a function creates it while CloudFormation deploys. */
export interface CustomResourcePlan {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  /** ARN of the function, without a qualifier. */
  readonly functionArn: string;
  readonly properties: Resource['properties'];
}

const customResourceSchema = v.object({ ServiceToken: v.string('must be the ARN of a function') });

/**
 * Describes the custom resources of an app, in the order of their dependencies.
 *
 * @throws AppError `TEMPLATE_INVALID` when one names no function.
 */
export function planCustomResources(resources: readonly Resource[]): CustomResourcePlan[] {
  return resources
    .filter(({ type }) => isCustomResource(type))
    .map((resource) => {
      const { stack, logicalId, type, properties } = resource;
      const { ServiceToken: token } = readProperties(resource, customResourceSchema);
      return { stack, logicalId, type, functionArn: functionArn(token), properties };
    });
}
