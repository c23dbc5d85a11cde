import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The rules of CloudFormation for one type of resources. */
export interface ResourceType {
  /** Whether resources of the type hold data that must not be lost. */
  readonly isStateful: boolean;
  /** Properties whose change replaces the resource. */
  readonly replacedBy: readonly string[];
  /** Properties that together identify a resource, if its creator may choose them. */
  readonly identity: readonly string[] | undefined;
}

/** Identities that the specification leaves out, because it identifies these resources by generated attributes. */
const IDENTITIES: Readonly<Record<string, readonly string[]>> = {
  'AWS::ApiGateway::GatewayResponse': ['RestApiId', 'ResponseType'],
  'AWS::ApiGateway::Resource': ['RestApiId', 'ParentId', 'PathPart'],
  'AWS::ApiGateway::UsagePlanKey': ['UsagePlanId', 'KeyId'],
  'AWS::Lambda::Alias': ['FunctionName', 'Name'],
  'AWS::Lambda::EventSourceMapping': ['FunctionName', 'EventSourceArn'],
  'AWS::SageMaker::Endpoint': ['EndpointName'],
  'AWS::SQS::Queue': ['QueueName'],
};

/** Stateful types that hold nothing of value: logs, and stacks, whose resources are judged one by one. */
const DISPENSABLE = ['AWS::CloudFormation::Stack', 'AWS::Logs::LogGroup'];

/** A resource type in the database that the CDK command ships for `cdk diff`. */
interface Entry {
  readonly cloudFormationType: string;
  readonly isStateful?: boolean;
  readonly primaryIdentifier?: readonly string[];
  readonly properties: Readonly<Record<string, { readonly causesReplacement?: 'yes' | 'no' | 'maybe' }>>;
}

/** Reads the resource types of CloudFormation from the database that `cdk diff` uses. */
export function readResourceTypes(): ReadonlyMap<string, ResourceType> {
  const command = dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json'));
  const database = JSON.parse(gunzipSync(readFileSync(join(command, 'db.json.gz'))).toString());
  const entries: readonly Entry[] = Object.values(database.schema.resource.entities);
  return new Map(entries.map((entry) => [entry.cloudFormationType, resourceType(entry)]));
}

function resourceType({ cloudFormationType, isStateful, primaryIdentifier = [], properties }: Entry): ResourceType {
  const chosen = primaryIdentifier.length > 0 && primaryIdentifier.every((name) => name in properties);
  return {
    isStateful: isStateful === true && !DISPENSABLE.includes(cloudFormationType),
    replacedBy: Object.entries(properties).flatMap(([name, { causesReplacement }]) =>
      causesReplacement === 'yes' ? [name] : [],
    ),
    identity: IDENTITIES[cloudFormationType] ?? (chosen ? primaryIdentifier : undefined),
  };
}
