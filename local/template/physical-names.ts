import { createHash } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import { globalArn, LOCAL_ACCOUNT, localArn } from './account.ts';
import { isCustomResource, placeholderOf } from './custom-attributes.ts';
import type { Json, JsonObject } from './json.ts';

/** Names of a created resource: the value of `Ref`, and of each `Fn::GetAtt`. */
export interface PhysicalName {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Where a resource stands, with its properties resolved. */
export interface NamedResource {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly properties: JsonObject;
  /** How many versions the same function has had before this one; matters to `AWS::Lambda::Version` only. */
  readonly earlierVersions: number;
}

const QUEUE_ORIGIN = `https://sqs.${LOCAL_ACCOUNT.region}.${LOCAL_ACCOUNT.urlSuffix}`;

/** Name of the event bus that each account has. */
export const DEFAULT_EVENT_BUS = 'default';

type Namer = (resource: NamedResource) => PhysicalName;

const NAMERS: Readonly<Record<string, Namer>> = {
  'AWS::Lambda::Function': (resource) => {
    const name = textOf(resource.properties['FunctionName']) ?? composed(resource, 64);
    return { ref: name, attributes: { Arn: localArn('lambda', `function:${name}`) } };
  },
  'AWS::Lambda::Version': (resource) => {
    const version = String(resource.earlierVersions + 1);
    const arn = `${functionArn(textOf(resource.properties['FunctionName']) ?? '')}:${version}`;
    return { ref: arn, attributes: { Version: version, FunctionArn: arn } };
  },
  'AWS::Lambda::Alias': ({ properties }) => {
    const arn = `${functionArn(textOf(properties['FunctionName']) ?? '')}:${textOf(properties['Name']) ?? ''}`;
    return { ref: arn, attributes: { AliasArn: arn } };
  },
  'AWS::IAM::Role': (resource) => {
    const name = textOf(resource.properties['RoleName']) ?? composed(resource, 64);
    return { ref: name, attributes: { Arn: globalArn('iam', `role/${name}`), RoleId: `AROA${hashed(resource, 17)}` } };
  },
  'AWS::IAM::ManagedPolicy': (resource) => {
    const name = textOf(resource.properties['ManagedPolicyName']) ?? composed(resource, 128);
    const arn = globalArn('iam', `policy/${name}`);
    return { ref: arn, attributes: { PolicyArn: arn } };
  },
  'AWS::DynamoDB::Table': table,
  'AWS::DynamoDB::GlobalTable': table,
  'AWS::SQS::Queue': (resource) => {
    const name = textOf(resource.properties['QueueName']) ?? composed(resource, 80);
    const url = queueUrl(name);
    return { ref: url, attributes: { Arn: localArn('sqs', name), QueueName: name, QueueUrl: url } };
  },
  'AWS::S3::Bucket': (resource) => {
    const name = textOf(resource.properties['BucketName']) ?? composed(resource, 63).toLowerCase();
    const { partition, region, urlSuffix } = LOCAL_ACCOUNT;
    return {
      ref: name,
      attributes: {
        Arn: `arn:${partition}:s3:::${name}`,
        DomainName: `${name}.s3.${urlSuffix}`,
        RegionalDomainName: `${name}.s3.${region}.${urlSuffix}`,
      },
    };
  },
  'AWS::Events::EventBus': (resource) => {
    const name = textOf(resource.properties['Name']) ?? composed(resource, 256);
    return { ref: name, attributes: { Arn: localArn('events', `event-bus/${name}`), Name: name } };
  },
  'AWS::Events::Rule': (resource) => {
    const name = textOf(resource.properties['Name']) ?? composed(resource, 64);
    const bus = eventBusName(textOf(resource.properties['EventBusName']));
    const isDefault = bus === DEFAULT_EVENT_BUS;
    const arn = localArn('events', isDefault ? `rule/${name}` : `rule/${bus}/${name}`);
    return { ref: isDefault ? name : `${bus}|${name}`, attributes: { Arn: arn } };
  },
  'AWS::ApiGateway::RestApi': (resource) =>
    withId(resource, 'RestApiId', { RootResourceId: hashed(resource, 8, 'root') }),
  'AWS::ApiGateway::Resource': (resource) => withId(resource, 'ResourceId'),
  'AWS::ApiGateway::Deployment': (resource) => withId(resource, 'DeploymentId'),
  'AWS::ApiGateway::RequestValidator': (resource) => withId(resource, 'RequestValidatorId'),
  'AWS::ApiGateway::Authorizer': (resource) => withId(resource, 'AuthorizerId'),
  'AWS::ApiGateway::ApiKey': (resource) => withId(resource, 'APIKeyId'),
  'AWS::ApiGateway::UsagePlan': (resource) => withId(resource, 'Id'),
  'AWS::ApiGateway::UsagePlanKey': (resource) => withId(resource, 'Id'),
  'AWS::ApiGateway::Stage': ({ properties }) => ({ ref: textOf(properties['StageName']) ?? '', attributes: {} }),
  'AWS::ApiGateway::Model': (resource) => ({
    ref: textOf(resource.properties['Name']) ?? resource.logicalId,
    attributes: {},
  }),
  'AWS::SNS::Topic': (resource) => {
    const name = textOf(resource.properties['TopicName']) ?? composed(resource, 256);
    const arn = localArn('sns', name);
    return { ref: arn, attributes: { TopicArn: arn, TopicName: name } };
  },
  'AWS::SSM::Parameter': (resource) => {
    const name = textOf(resource.properties['Name']) ?? composed(resource, 255);
    const { Type: type = '', Value: value = '' } = resource.properties;
    return { ref: name, attributes: { Type: String(type), Value: String(value) } };
  },
  'AWS::SageMaker::Model': (resource) => sageMaker(resource, 'model', 'ModelName'),
  'AWS::SageMaker::EndpointConfig': (resource) => sageMaker(resource, 'endpoint-config', 'EndpointConfigName'),
  'AWS::SageMaker::Endpoint': (resource) => sageMaker(resource, 'endpoint', 'EndpointName'),
  'AWS::Logs::LogGroup': (resource) => {
    const name = textOf(resource.properties['LogGroupName']) ?? composed(resource, 512);
    return { ref: name, attributes: { Arn: localArn('logs', `log-group:${name}:*`) } };
  },
};

/** SageMaker's ARNs hold the name in lower case. */
function sageMaker(resource: NamedResource, kind: string, attribute: string): PhysicalName {
  const name = textOf(resource.properties[attribute]) ?? composed(resource, 63);
  return { ref: localArn('sagemaker', `${kind}/${name.toLowerCase()}`), attributes: { [attribute]: name } };
}

/**
 * Names a resource as CloudFormation would, but always the same for the same template: the stack's name and the
 * logical id if the template gives no name.
 */
export function physicalName(resource: NamedResource): PhysicalName {
  return NAMERS[resource.type]?.(resource) ?? { ref: composed(resource, 255), attributes: {} };
}

/**
 * Looks up an attribute of a named resource.
 *
 * Resources that local mode does not run have made-up attributes, so that what refers to them still resolves.
 *
 * @throws AppError `TEMPLATE_INVALID` when a resource that local mode runs has no such attribute.
 */
export function attributeOf(resource: NamedResource, name: PhysicalName, attribute: string): Json {
  const value = name.attributes[attribute];
  if (value !== undefined) return value;
  if (resource.type in NAMERS) {
    throw new AppError(
      'TEMPLATE_INVALID',
      `${resource.logicalId} (${resource.type}) has no attribute ${attribute} in local mode`,
    );
  }
  if (isCustomResource(resource.type)) return placeholderOf(resource.stack, resource.logicalId, attribute);
  const service = (resource.type.split('::')[1] ?? 'local').toLowerCase();
  return attribute.endsWith('Arn') ? localArn(service, name.ref) : `${name.ref}-${attribute}`;
}

/** Returns the ARN of a function from its name or from an ARN of it, without a qualifier. */
export function functionArn(nameOrArn: string): string {
  if (!nameOrArn.startsWith('arn:')) return localArn('lambda', `function:${nameOrArn.split(':')[0] ?? nameOrArn}`);
  return nameOrArn.split(':').slice(0, 7).join(':');
}

/** Returns the name of an event bus from its name or ARN; the account's own where none is named. */
export function eventBusName(nameOrArn = DEFAULT_EVENT_BUS): string {
  return nameOrArn.split('/').at(-1) ?? nameOrArn;
}

/** Returns the URL of a queue on AWS; {@link localQueueUrls} converts it to the local URL. */
export function queueUrl(name: string): string {
  return `${QUEUE_ORIGIN}/${LOCAL_ACCOUNT.accountId}/${name}`;
}

/** Replaces the URLs of queues in a text with the URLs of this machine. */
export function localQueueUrls(text: string, endpointUrl: string): string {
  return text.replaceAll(`${QUEUE_ORIGIN}/`, `${endpointUrl}/`);
}

function table(resource: NamedResource): PhysicalName {
  const name = textOf(resource.properties['TableName']) ?? composed(resource, 255);
  return { ref: name, attributes: { Arn: localArn('dynamodb', `table/${name}`), TableId: hashed(resource, 32) } };
}

function withId(resource: NamedResource, attribute: string, others: Record<string, string> = {}): PhysicalName {
  const id = hashed(resource, 10);
  return { ref: id, attributes: { [attribute]: id, ...others } };
}

function composed({ stack, logicalId }: NamedResource, limit: number): string {
  return `${stack}-${logicalId}`.slice(-limit).replace(/^-+/, '');
}

function hashed({ stack, logicalId }: NamedResource, length: number, salt = ''): string {
  const digest = createHash('sha256').update(`${stack}/${logicalId}/${salt}`).digest('hex');
  return BigInt(`0x${digest}`).toString(36).slice(0, length).padEnd(length, '0');
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
