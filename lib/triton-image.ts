import { Aws, CfnMapping, Fn, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AppError } from '../core/errors.ts';
import { TRITON_REPOSITORY } from '../core/gpu/endpoint-contract.ts';

/** Release of Triton, which AWS builds from NVIDIA's image of the same name. */
export const TRITON_TAG = '25.09-py3';

/**
 * Accounts of AWS that hold the image, by region.
 *
 * @see https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/image_uri_config/sagemaker-tritonserver.json
 */
const ACCOUNTS: Readonly<Record<string, string>> = {
  'af-south-1': '774647643957',
  'ap-east-1': '110948597952',
  'ap-northeast-1': '941853720454',
  'ap-northeast-2': '151534178276',
  'ap-south-1': '763008648453',
  'ap-southeast-1': '324986816169',
  'ap-southeast-2': '355873309152',
  'ca-central-1': '464438896020',
  'eu-central-1': '746233611703',
  'eu-north-1': '601324751636',
  'eu-south-1': '966458181534',
  'eu-west-1': '802834080501',
  'eu-west-2': '205493899709',
  'eu-west-3': '254080097072',
  'me-south-1': '836785723513',
  'sa-east-1': '756306329178',
  'us-east-1': '785573368785',
  'us-east-2': '007439368137',
  'us-west-1': '710691900526',
  'us-west-2': '301217895009',
};

/** Image of a container and where it may be pulled from. */
export interface ContainerImage {
  /** What SageMaker pulls. */
  readonly uri: string;
  /** ARN of its repository. */
  readonly repositoryArn: string;
}

/**
 * Triton's image for SageMaker in the region of a stack; a stack without a region gets a map of all of them.
 *
 * @throws AppError `CONFIG_INVALID` in a region where AWS does not offer it.
 */
export function tritonImage(scope: Construct): ContainerImage {
  const { region } = Stack.of(scope);
  const account = Token.isUnresolved(region) ? accountByMap(scope) : accountIn(region);
  return {
    uri: `${account}.dkr.ecr.${region}.${Aws.URL_SUFFIX}/${TRITON_REPOSITORY}:${TRITON_TAG}`,
    repositoryArn: `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${TRITON_REPOSITORY}`,
  };
}

function accountIn(region: string): string {
  const account = Object.hasOwn(ACCOUNTS, region) ? ACCOUNTS[region] : undefined;
  if (account !== undefined) return account;
  throw new AppError(
    'CONFIG_INVALID',
    `AWS offers no Triton image in ${region}; it does in ${Object.keys(ACCOUNTS).join(', ')}`,
  );
}

const MAPPING = 'TritonAccounts';

function accountByMap(scope: Construct): string {
  const stack = Stack.of(scope);
  const known = stack.node.tryFindChild(MAPPING);
  const mapping =
    known instanceof CfnMapping
      ? known
      : new CfnMapping(stack, MAPPING, {
          mapping: Object.fromEntries(Object.entries(ACCOUNTS).map(([region, account]) => [region, { account }])),
        });
  return Fn.findInMap(mapping.logicalId, Aws.REGION, 'account');
}

/**
 * An image of the deployer's own.
 *
 * @param uri - Its address in Amazon ECR, as the manifest's schema has it.
 */
export function ownImage(uri: string): ContainerImage {
  const [, account, region, repository] = /^(\d+)\.dkr\.ecr\.([^.]+)\.[^/]+\/([^:@]+)/.exec(uri) ?? [];
  return { uri, repositoryArn: `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${repository}` };
}
