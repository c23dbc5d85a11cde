// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, IAM and API Gateway
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StackDocument } from '../../local/template/read-assembly.ts';
import type { Template, TemplateResource } from '../../local/template/template.ts';

/** A function of a fixture app. */
export interface FixtureFunction {
  /** Source of `index.mjs`. */
  readonly code: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Statements of its role. */
  readonly statements?: readonly unknown[];
}

/** One method of the fixture's API, by `GET /path`. */
export type FixtureMethod = Readonly<Record<string, unknown>>;

/** The contents of a fixture app. */
export interface FixtureApp {
  readonly functions?: Readonly<Record<string, FixtureFunction>>;
  readonly methods?: Readonly<Record<string, FixtureMethod>>;
  readonly api?: Readonly<Record<string, unknown>>;
  readonly stage?: Readonly<Record<string, unknown>>;
  /** More resources, as in a template. */
  readonly resources?: Readonly<Record<string, unknown>>;
  /** Outputs, as in a template. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Leaves the permission for API Gateway out. */
  readonly withoutPermission?: boolean;
}

/** Makes an empty folder below the system's temporary one. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tensorgate-test-'));
}

/** Removes a folder and everything in it. */
export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** Writes a cloud assembly with one stack, `Fixture`, as the AWS CDK would. */
export async function writeFixtureApp(folder: string, app: FixtureApp): Promise<string> {
  const assembly = join(folder, 'cdk.out');
  await mkdir(assembly, { recursive: true });
  const files: Record<string, unknown> = {};
  for (const [id, { code }] of Object.entries(app.functions ?? {})) {
    await mkdir(join(assembly, `asset.${id}`), { recursive: true });
    await writeFile(join(assembly, `asset.${id}`, 'index.mjs'), code);
    files[id] = { source: { path: `asset.${id}`, packaging: 'zip' } };
  }
  await writeJson(join(assembly, 'Fixture.assets.json'), { version: '55.0.0', files });
  await writeJson(join(assembly, 'Fixture.template.json'), { Resources: resourcesOf(app), Outputs: app.outputs ?? {} });
  await writeJson(join(assembly, 'manifest.json'), {
    version: '55.0.0',
    artifacts: {
      'Fixture.assets': { type: 'cdk:asset-manifest', properties: { file: 'Fixture.assets.json' } },
      Fixture: {
        type: 'aws:cloudformation:stack',
        properties: { templateFile: 'Fixture.template.json' },
        dependencies: ['Fixture.assets'],
      },
    },
  });
  return assembly;
}

/** Creates a method that is integrated with a function of the fixture. */
export function lambdaMethod(functionId: string, properties: FixtureMethod = {}): FixtureMethod {
  const uri = 'arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/';
  return {
    Integration: {
      Type: 'AWS_PROXY',
      IntegrationHttpMethod: 'POST',
      Uri: { 'Fn::Sub': `${uri}\${${functionId}.Arn}/invocations` },
    },
    ...properties,
  };
}

/** Creates a stack as the reader returns it, for tests that need no files. */
export function stackOf(
  name: string,
  resources: Readonly<Record<string, Partial<TemplateResource> & { readonly Type: string }>>,
  sections: Partial<Omit<Template, 'Resources'>> = {},
): StackDocument {
  return {
    name,
    assets: new Map([['code', '/code']]),
    constructPaths: new Map(),
    template: {
      Outputs: {},
      Parameters: {},
      Mappings: {},
      Conditions: {},
      ...sections,
      Resources: Object.fromEntries(
        Object.entries(resources).map(([id, resource]) => [id, { Properties: {}, ...resource }]),
      ),
    },
  };
}

function resourcesOf(app: FixtureApp): Record<string, unknown> {
  const functions = Object.entries(app.functions ?? {}).map(([id, fn]) => functionResources(id, fn, app));
  const api = app.methods === undefined ? {} : apiResources(app, app.methods);
  return Object.assign({}, ...functions, api, app.resources);
}

function functionResources(id: string, fn: FixtureFunction, app: FixtureApp): Record<string, unknown> {
  const policies = [{ PolicyName: 'Own', PolicyDocument: { Version: '2012-10-17', Statement: fn.statements ?? [] } }];
  const permission = {
    Type: 'AWS::Lambda::Permission',
    Properties: {
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': [id, 'Arn'] },
      Principal: 'apigateway.amazonaws.com',
      SourceArn: { 'Fn::Sub': 'arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/dev/*/*' },
    },
  };
  return {
    [`${id}Role`]: { Type: 'AWS::IAM::Role', Properties: { Policies: policies } },
    [id]: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        FunctionName: id.toLowerCase(),
        Code: { S3Bucket: 'assets', S3Key: `${id}.zip` },
        Handler: 'index.handler',
        Runtime: 'nodejs24.x',
        MemorySize: 256,
        Timeout: 10,
        Role: { 'Fn::GetAtt': [`${id}Role`, 'Arn'] },
        ...fn.properties,
      },
    },
    ...(app.methods === undefined || app.withoutPermission === true ? {} : { [`${id}Permission`]: permission }),
  };
}

function apiResources(app: FixtureApp, methods: Readonly<Record<string, FixtureMethod>>): Record<string, unknown> {
  const resources: Record<string, unknown> = {
    Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'fixture', ...app.api } },
    Stage: {
      Type: 'AWS::ApiGateway::Stage',
      Properties: { RestApiId: { Ref: 'Api' }, StageName: 'dev', ...app.stage },
    },
  };
  for (const [route, properties] of Object.entries(methods)) {
    const [method = '', path = ''] = route.split(' ');
    const resourceId = addPath(resources, path);
    resources[`Method${Object.keys(resources).length}`] = {
      Type: 'AWS::ApiGateway::Method',
      Properties: { RestApiId: { Ref: 'Api' }, ResourceId: resourceId, HttpMethod: method, ...properties },
    };
  }
  return resources;
}

function addPath(resources: Record<string, unknown>, path: string): unknown {
  let parent: unknown = { 'Fn::GetAtt': ['Api', 'RootResourceId'] };
  let id = 'Path';
  for (const part of path.split('/').filter((text) => text !== '')) {
    id += `_${Buffer.from(part).toString('hex')}`;
    resources[id] ??= {
      Type: 'AWS::ApiGateway::Resource',
      Properties: { RestApiId: { Ref: 'Api' }, ParentId: parent, PathPart: part },
    };
    parent = { Ref: id };
  }
  return parent;
}

function writeJson(file: string, value: unknown): Promise<void> {
  return writeFile(file, JSON.stringify(value));
}
