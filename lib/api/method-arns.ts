import type { CfnStage, RestApi } from 'aws-cdk-lib/aws-apigateway';

/**
 * The ARN pattern of every method of the API's stage.
 *
 * The name of the stage is text and no reference: a permission that refers to its stage is created after it, and until then
 * new routes fail.
 */
export function methodArns(restApi: RestApi): string {
  const { stageName } = restApi.deploymentStage.node.defaultChild as CfnStage;
  return restApi.arnForExecuteApi('*', '/*', stageName);
}
