import type * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import {
  apiKeySchema,
  gatewayResponseSchema,
  type integrationResponseSchema,
  type integrationSchema,
  methodSchema,
  modelSchema,
  resourceSchema,
  restApiSchema,
  stageSchema,
  type throttleSchema,
  usagePlanKeySchema,
  usagePlanSchema,
  validatorSchema,
} from './api-properties.ts';
import type { JsonObject } from './json.ts';
import { type AuthorizerPlan, planAuthorizers } from './plan-authorizers.ts';
import type { NotRun } from './plan-functions.ts';
import { ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** An integration of a method: a Lambda proxy or a mock. */
export type IntegrationPlan = v.InferOutput<typeof integrationSchema>;

/** Responses of a mock, by status. */
export type IntegrationResponsePlan = v.InferOutput<typeof integrationResponseSchema>;

/** A customized gateway response. */
export type GatewayResponsePlan = Omit<v.InferOutput<typeof gatewayResponseSchema>, 'RestApiId'>;

/** Rate and burst, either of them perhaps not set. */
export type ThrottlePlan = v.InferOutput<typeof throttleSchema>;

/** One method of one resource. */
export interface MethodPlan {
  readonly resourceId: string;
  /** Path of the resource: `/v2/models/{model}`. */
  readonly resourcePath: string;
  /** `GET`, `POST`, … or `ANY`. */
  readonly httpMethod: string;
  readonly apiKeyRequired: boolean;
  /** The authorizer that admits its requests, if it has one. */
  readonly authorizer: AuthorizerPlan | undefined;
  readonly integration: IntegrationPlan;
  /** JSON Schema by content type, empty where bodies are not validated. */
  readonly bodySchemas: Readonly<Record<string, JsonObject>>;
  /** Required parameters as `method.request.querystring.x`, empty where parameters are not validated. */
  readonly requiredParameters: readonly string[];
}

/** A usage plan of a stage. */
export interface UsagePlanPlan {
  readonly id: string;
  readonly name: string;
  readonly throttle: ThrottlePlan | undefined;
  readonly quota:
    | { readonly limit: number; readonly period: 'DAY' | 'WEEK' | 'MONTH'; readonly offset: number }
    | undefined;
  /** Limits of single methods, by `/path/METHOD`. */
  readonly methodThrottles: Readonly<Record<string, ThrottlePlan>>;
}

/** An API key and the plans that it belongs to. */
export interface ApiKeyPlan {
  readonly id: string;
  readonly name: string;
  /** The value that the template fixes, if it does. */
  readonly value: string | undefined;
  readonly enabled: boolean;
  readonly planIds: readonly string[];
}

/** One REST API with its one stage. */
export interface ApiPlan {
  readonly id: string;
  readonly name: string;
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | null;
  readonly deploymentId: string;
  readonly binaryMediaTypes: readonly string[];
  readonly minimumCompressionSize: number | undefined;
  /** Where the API key of a request comes from: the header `x-api-key`, or the result of the authorizer. */
  readonly apiKeySource: 'HEADER' | 'AUTHORIZER';
  readonly methods: readonly MethodPlan[];
  readonly gatewayResponses: ReadonlyMap<string, GatewayResponsePlan>;
  /** Limits of the stage's methods, by `/path/METHOD`, `*` standing for all. */
  readonly methodThrottles: Readonly<Record<string, ThrottlePlan>>;
  readonly usagePlans: readonly UsagePlanPlan[];
  readonly apiKeys: readonly ApiKeyPlan[];
}

/**
 * Describes the REST APIs of an app, one for each stage.
 *
 * @throws AppError `TEMPLATE_INVALID` when something is malformed or is a feature that local mode does not run.
 */
export function planApis(resources: readonly Resource[]): { readonly apis: ApiPlan[]; readonly notRun: NotRun[] } {
  const apis: ApiPlan[] = [];
  const notRun: NotRun[] = [];
  for (const resource of ofType(resources, 'AWS::ApiGateway::RestApi')) {
    const stages = ofType(resources, 'AWS::ApiGateway::Stage').filter(
      (stage) => stage.properties['RestApiId'] === resource.ref,
    );
    const [stage, ...others] = stages;
    for (const other of others)
      notRun.push({ resource: other.logicalId, type: other.type, reason: 'only the first stage of an API runs' });
    if (stage === undefined)
      notRun.push({ resource: resource.logicalId, type: resource.type, reason: 'it has no stage' });
    else apis.push(planApi(resource, stage, resources));
  }
  return { apis, notRun };
}

function planApi(api: Resource, stageResource: Resource, resources: readonly Resource[]): ApiPlan {
  const properties = readProperties(api, restApiSchema);
  const stage = readProperties(stageResource, stageSchema);
  const usagePlans = planUsagePlans(api.ref, stage.StageName, resources);
  return {
    id: api.ref,
    name: properties.Name,
    stage: stage.StageName,
    stageVariables: stage.Variables ?? null,
    deploymentId: stage.DeploymentId,
    binaryMediaTypes: properties.BinaryMediaTypes,
    minimumCompressionSize: properties.MinimumCompressionSize,
    apiKeySource: properties.ApiKeySourceType,
    methods: planMethods(api, resources),
    gatewayResponses: new Map(
      ofApi('AWS::ApiGateway::GatewayResponse', gatewayResponseSchema, api, resources).map(
        ({ properties: response }) => [response.ResponseType, response],
      ),
    ),
    methodThrottles: Object.fromEntries(
      stage.MethodSettings.map((setting) => [
        throttleKey(setting.ResourcePath, setting.HttpMethod),
        { RateLimit: setting.ThrottlingRateLimit, BurstLimit: setting.ThrottlingBurstLimit },
      ]),
    ),
    usagePlans,
    apiKeys: planKeys(new Set(usagePlans.map(({ id }) => id)), resources),
  };
}

function planMethods(api: Resource, resources: readonly Resource[]): MethodPlan[] {
  const paths = resourcePaths(api, resources);
  const authorizers = planAuthorizers(api, resources);
  const models = new Map(
    ofApi('AWS::ApiGateway::Model', modelSchema, api, resources).map(({ resource, properties }) => [
      resource.ref,
      properties.Schema,
    ]),
  );
  const validators = new Map(
    ofApi('AWS::ApiGateway::RequestValidator', validatorSchema, api, resources).map(({ resource, properties }) => [
      resource.ref,
      properties,
    ]),
  );
  return ofApi('AWS::ApiGateway::Method', methodSchema, api, resources).map(({ resource, properties }) => {
    const path = paths.get(properties.ResourceId);
    if (path === undefined)
      throw new AppError(
        'TEMPLATE_INVALID',
        `${resource.logicalId} is a method of a resource that is not in the template`,
      );
    const validator = validators.get(properties.RequestValidatorId ?? '');
    return {
      resourceId: properties.ResourceId,
      resourcePath: path,
      httpMethod: properties.HttpMethod,
      apiKeyRequired: properties.ApiKeyRequired,
      authorizer: properties.AuthorizationType === 'NONE' ? undefined : authorizerOf(properties, authorizers, resource),
      integration: properties.Integration,
      bodySchemas: validator?.ValidateRequestBody === true ? schemasOf(properties.RequestModels, models, resource) : {},
      requiredParameters:
        validator?.ValidateRequestParameters === true
          ? Object.keys(properties.RequestParameters).filter((name) => properties.RequestParameters[name])
          : [],
    };
  });
}

function authorizerOf(
  { AuthorizerId: id }: v.InferOutput<typeof methodSchema>,
  authorizers: ReadonlyMap<string, AuthorizerPlan>,
  { logicalId }: Resource,
): AuthorizerPlan {
  const authorizer = authorizers.get(id ?? '');
  if (authorizer !== undefined) return authorizer;
  throw new AppError(
    'TEMPLATE_INVALID',
    `${logicalId} is admitted by authorizer ${id ?? '(none)'}, which is not in the template`,
  );
}

function schemasOf(
  requestModels: Readonly<Record<string, string>>,
  models: ReadonlyMap<string, JsonObject>,
  { logicalId }: Resource,
): Record<string, JsonObject> {
  return Object.fromEntries(
    Object.entries(requestModels)
      .filter(([, name]) => name !== 'Empty')
      .map(([contentType, name]) => {
        const schema = models.get(name);
        if (schema === undefined)
          throw new AppError(
            'TEMPLATE_INVALID',
            `${logicalId} validates with model ${name}, which is not in the template`,
          );
        return [contentType, schema];
      }),
  );
}

function resourcePaths(api: Resource, resources: readonly Resource[]): Map<string, string> {
  const paths = new Map([[api.attributes['RootResourceId'] ?? '', '/']]);
  const children = ofApi('AWS::ApiGateway::Resource', resourceSchema, api, resources);
  // Resources come after their parents, since each refers to its own.
  for (const { resource, properties } of children) {
    const parent = paths.get(properties.ParentId);
    if (parent !== undefined) paths.set(resource.ref, `${parent === '/' ? '' : parent}/${properties.PathPart}`);
  }
  return paths;
}

function planUsagePlans(apiId: string, stage: string, resources: readonly Resource[]): UsagePlanPlan[] {
  return ofType(resources, 'AWS::ApiGateway::UsagePlan').flatMap((resource) => {
    const properties = readProperties(resource, usagePlanSchema);
    const covered = properties.ApiStages.find((entry) => entry.ApiId === apiId && entry.Stage === stage);
    if (covered === undefined) return [];
    const { Quota: quota } = properties;
    return [
      {
        id: resource.ref,
        name: properties.UsagePlanName ?? resource.logicalId,
        throttle: properties.Throttle,
        quota: quota && { limit: quota.Limit, period: quota.Period, offset: quota.Offset },
        methodThrottles: covered.Throttle,
      },
    ];
  });
}

function planKeys(planIds: ReadonlySet<string>, resources: readonly Resource[]): ApiKeyPlan[] {
  const links = ofType(resources, 'AWS::ApiGateway::UsagePlanKey').map((resource) =>
    readProperties(resource, usagePlanKeySchema),
  );
  return ofType(resources, 'AWS::ApiGateway::ApiKey').map((resource) => {
    const { Name: name, Value: value, Enabled: enabled } = readProperties(resource, apiKeySchema);
    const plans = links.filter((link) => link.KeyId === resource.ref && planIds.has(link.UsagePlanId));
    return {
      id: resource.ref,
      name: name ?? resource.logicalId,
      value,
      enabled,
      planIds: plans.map((link) => link.UsagePlanId),
    };
  });
}

function ofApi<S extends v.GenericSchema<unknown, { RestApiId: string }>>(
  type: string,
  schema: S,
  api: Resource,
  resources: readonly Resource[],
): { readonly resource: Resource; readonly properties: v.InferOutput<S> }[] {
  return ofType(resources, type)
    .map((resource) => ({ resource, properties: readProperties(resource, schema) }))
    .filter(({ properties }) => properties.RestApiId === api.ref);
}

/** Turns `/~1v1~1x` and `GET` of a method setting into `/v1/x/GET`, `/*` and `*` into `*`. */
function throttleKey(resourcePath: string, httpMethod: string): string {
  if (resourcePath === '/*' && httpMethod === '*') return '*';
  return `${resourcePath.replace(/^\//, '').replaceAll('~1', '/')}/${httpMethod}`;
}
