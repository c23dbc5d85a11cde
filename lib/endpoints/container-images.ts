import { Aws, CfnMapping, Fn, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';
import type { SageMakerCompute } from '../../core/models/manifest.ts';
import { TEI_REPOSITORY, TRITON_REPOSITORY } from '../../core/sagemaker/endpoint-contract.ts';

/** Release of Triton, which AWS builds from NVIDIA's image of the same name. */
export const TRITON_TAG = '25.09-py3';

/** Release of Text Embeddings Inference, for GPUs from Turing on. */
export const TEI_TAG = '2.0.1-tei1.9.3-gpu-py310-cu129-ubuntu24.04';

/**
 * Accounts of AWS that hold Triton's image, by region.
 *
 * @see https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/image_uri_config/sagemaker-tritonserver.json
 */
const TRITON_ACCOUNTS: Readonly<Record<string, string>> = {
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

/**
 * Accounts of AWS that hold the image of Text Embeddings Inference, by region.
 *
 * @see https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/image_uri_config/huggingface-tei.json
 */
const TEI_ACCOUNTS: Readonly<Record<string, string>> = {
  'af-south-1': '510948584623',
  'ap-east-1': '651117190479',
  'ap-northeast-1': '354813040037',
  'ap-northeast-2': '366743142698',
  'ap-northeast-3': '867004704886',
  'ap-south-1': '720646828776',
  'ap-south-2': '628508329040',
  'ap-southeast-1': '121021644041',
  'ap-southeast-2': '783357654285',
  'ap-southeast-3': '951798379941',
  'ap-southeast-4': '106583098589',
  'ca-central-1': '341280168497',
  'ca-west-1': '190319476487',
  'eu-central-1': '492215442770',
  'eu-central-2': '680994064768',
  'eu-north-1': '662702820516',
  'eu-south-1': '978288397137',
  'eu-south-2': '104374241257',
  'eu-west-1': '141502667606',
  'eu-west-2': '764974769150',
  'eu-west-3': '659782779980',
  'il-central-1': '898809789911',
  'me-central-1': '272398656194',
  'me-south-1': '801668240914',
  'sa-east-1': '737474898029',
  'us-east-1': '683313688378',
  'us-east-2': '257758044811',
  'us-west-1': '746614075791',
  'us-west-2': '246618743249',
};

/** An image that AWS keeps in accounts of its own. */
interface OfferedImage {
  readonly product: string;
  readonly repository: string;
  readonly tag: string;
  readonly accounts: Readonly<Record<string, string>>;
  /** Name of the map from regions to accounts in a template. */
  readonly mapping: string;
}

const TRITON: OfferedImage = {
  product: 'Triton',
  repository: TRITON_REPOSITORY,
  tag: TRITON_TAG,
  accounts: TRITON_ACCOUNTS,
  mapping: 'TritonAccounts',
};

const TEI: OfferedImage = {
  product: 'Text Embeddings Inference',
  repository: TEI_REPOSITORY,
  tag: TEI_TAG,
  accounts: TEI_ACCOUNTS,
  mapping: 'TeiAccounts',
};

/** Image of a container, and the repository to pull it from. */
export interface ContainerImage {
  /** URI of the image that SageMaker pulls. */
  readonly uri: string;
  /** ARN of its repository. */
  readonly repositoryArn: string;
}

/**
 * Returns the image of a model's containers: the deployer's own, else what AWS offers in the region of a stack; a stack without a
 * region gets a map of all of them.
 *
 * @throws AppError `CONFIG_INVALID` in a region where AWS does not offer it.
 */
export function containerImage(
  scope: Construct,
  { image, container }: Pick<SageMakerCompute, 'image' | 'container'>,
): ContainerImage {
  if (image !== undefined) return ownImage(image);
  const offered = container === 'tei' ? TEI : TRITON;
  const { repository, tag } = offered;
  const { region } = Stack.of(scope);
  const account = Token.isUnresolved(region) ? accountByMap(scope, offered) : accountIn(region, offered);
  return {
    uri: `${account}.dkr.ecr.${region}.${Aws.URL_SUFFIX}/${repository}:${tag}`,
    repositoryArn: `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${repository}`,
  };
}

function accountIn(region: string, { product, accounts }: OfferedImage): string {
  const account = Object.hasOwn(accounts, region) ? accounts[region] : undefined;
  if (account !== undefined) return account;
  throw new AppError(
    'CONFIG_INVALID',
    `AWS offers no ${product} image in ${region}; it does in ${Object.keys(accounts).join(', ')}`,
  );
}

function accountByMap(scope: Construct, { accounts, mapping: id }: OfferedImage): string {
  const stack = Stack.of(scope);
  const known = stack.node.tryFindChild(id);
  const mapping =
    known instanceof CfnMapping
      ? known
      : new CfnMapping(stack, id, {
          mapping: Object.fromEntries(Object.entries(accounts).map(([region, account]) => [region, { account }])),
        });
  return Fn.findInMap(mapping.logicalId, Aws.REGION, 'account');
}

/** @param uri - Address in Amazon ECR, as the manifest's schema has it. */
function ownImage(uri: string): ContainerImage {
  const [, account, region, repository] = /^(\d+)\.dkr\.ecr\.([^.]+)\.[^/]+\/([^:@]+)/.exec(uri) ?? [];
  return { uri, repositoryArn: `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${repository}` };
}
