import type { CfnStage, RestApi } from 'aws-cdk-lib/aws-apigateway';

/**
 * Returns the ARN pattern of every method in the API's stage.
 *
 * It contains the name of the stage as text instead of a reference. CloudFormation would create a permission that refers to
 * the stage after the stage, and new routes would fail until then.
 */
export function methodArns(restApi: RestApi): string {
  const { stageName } = restApi.deploymentStage.node.defaultChild as CfnStage;
  return restApi.arnForExecuteApi('*', '/*', stageName);
}
