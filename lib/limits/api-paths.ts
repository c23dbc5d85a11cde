import { Resource, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { AppError } from '../../core/errors.ts';
import { namesOf } from '../../core/models/model-names.ts';
import type { Model } from '../packaging/model.ts';

/**
 * Maximum number of paths in an API, the path `/` included, unless AWS has raised the quota "Resources per API".
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
 */
export const MAX_API_PATHS = 300;

/** Paths of one name of a model, if there are many. */
const PATHS_OF_NAME = 3;

/**
 * Checks that an API does not exceed the paths that API Gateway allows.
 *
 * @throws AppError `CONFIG_INVALID` that says how many names of models fit.
 */
export function checkApiPaths(restApi: RestApi, models: readonly Model[]): void {
  const paths = 1 + restApi.node.root.node.findAll().filter((child) => isPathOf(child, restApi)).length;
  if (paths <= MAX_API_PATHS) return;
  const names = models.flatMap(({ manifest }) => namesOf(manifest)).length;
  const fitting = Math.floor((MAX_API_PATHS - (paths - names * PATHS_OF_NAME)) / PATHS_OF_NAME);
  throw new AppError(
    'CONFIG_INVALID',
    `${names} names of models need ${paths} paths, an API has ${MAX_API_PATHS}: ${fitting} ids and aliases fit, ` +
      'put the other models into an InferenceApi of their own, or use fewer aliases',
  );
}

function isPathOf(child: unknown, restApi: RestApi): boolean {
  return child instanceof Resource && child.api === restApi;
}
