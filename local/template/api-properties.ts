import * as v from 'valibot';
import type { JsonObject } from './json.ts';
import { cfnBoolean, cfnNumber, cfnTexts } from './properties.ts';

/** Rate and burst of a throttle, either of them perhaps not set. */
export const throttleSchema = v.object({ RateLimit: v.optional(cfnNumber), BurstLimit: v.optional(cfnNumber) });

/** Properties of `AWS::ApiGateway::RestApi` that local mode supports. */
export const restApiSchema = v.object({
  Name: v.optional(v.string(), 'api'),
  BinaryMediaTypes: v.optional(v.array(v.string()), []),
  MinimumCompressionSize: v.optional(cfnNumber),
  ApiKeySourceType: v.optional(v.picklist(['HEADER', 'AUTHORIZER'], 'must be HEADER or AUTHORIZER'), 'HEADER'),
});

/** Properties of `AWS::ApiGateway::Resource` that local mode supports. */
export const resourceSchema = v.object({ RestApiId: v.string(), ParentId: v.string(), PathPart: v.string() });

/** How a body is converted on its way to the integration, or back. */
const contentHandling = v.optional(v.picklist(['CONVERT_TO_TEXT', 'CONVERT_TO_BINARY']));

/** Response of a mock integration with one status. */
export const integrationResponseSchema = v.object({
  StatusCode: v.string(),
  ContentHandling: contentHandling,
  SelectionPattern: v.optional(v.string()),
  ResponseParameters: v.optional(cfnTexts, {}),
  ResponseTemplates: v.optional(cfnTexts, {}),
});

/** The integration of a method; types and features that local mode cannot run are errors. */
export const integrationSchema = v.object({
  Type: v.picklist(['AWS_PROXY', 'MOCK'], 'must be AWS_PROXY or MOCK, local mode runs no others'),
  Uri: v.optional(v.string()),
  ContentHandling: contentHandling,
  TimeoutInMillis: v.optional(cfnNumber, 29_000),
  PassthroughBehavior: v.optional(v.picklist(['WHEN_NO_MATCH', 'WHEN_NO_TEMPLATES', 'NEVER']), 'WHEN_NO_MATCH'),
  RequestTemplates: v.optional(cfnTexts, {}),
  IntegrationResponses: v.optional(v.array(integrationResponseSchema), []),
  ResponseTransferMode: v.optional(
    v.literal('BUFFERED', 'must be BUFFERED, local mode does not stream yet'),
    'BUFFERED',
  ),
});

/** Properties of `AWS::ApiGateway::Method` that local mode supports. */
export const methodSchema = v.object({
  RestApiId: v.string(),
  ResourceId: v.string(),
  HttpMethod: v.string(),
  ApiKeyRequired: v.optional(cfnBoolean, false),
  AuthorizationType: v.optional(
    v.picklist(['NONE', 'CUSTOM'], 'must be NONE or CUSTOM, local mode runs Lambda authorizers only'),
    'NONE',
  ),
  AuthorizerId: v.optional(v.string()),
  Integration: integrationSchema,
  RequestModels: v.optional(cfnTexts, {}),
  RequestParameters: v.optional(v.record(v.string(), cfnBoolean), {}),
  RequestValidatorId: v.optional(v.string()),
});

/** Properties of `AWS::ApiGateway::Authorizer` that local mode supports. */
export const authorizerSchema = v.object({
  RestApiId: v.string(),
  Name: v.string(),
  Type: v.picklist(['TOKEN', 'REQUEST'], 'must be TOKEN or REQUEST, local mode runs no user pools'),
  AuthorizerUri: v.string(),
  AuthorizerCredentials: v.optional(
    v.undefined('must be absent: in local mode an AWS::Lambda::Permission lets API Gateway invoke the authorizer'),
  ),
  IdentitySource: v.optional(v.string(), ''),
  IdentityValidationExpression: v.optional(v.string()),
  AuthorizerResultTtlInSeconds: v.optional(
    v.pipe(cfnNumber, v.minValue(0, 'must be from 0 to 3600'), v.maxValue(3600, 'must be from 0 to 3600')),
    300,
  ),
});

/** Properties of `AWS::ApiGateway::Model` that local mode supports. */
export const modelSchema = v.object({
  RestApiId: v.string(),
  Schema: v.custom<JsonObject>((value) => typeof value === 'object'),
});

/** Properties of `AWS::ApiGateway::RequestValidator` that local mode supports. */
export const validatorSchema = v.object({
  RestApiId: v.string(),
  ValidateRequestBody: v.optional(cfnBoolean, false),
  ValidateRequestParameters: v.optional(cfnBoolean, false),
});

/** Properties of `AWS::ApiGateway::GatewayResponse` that local mode supports. */
export const gatewayResponseSchema = v.object({
  RestApiId: v.string(),
  ResponseType: v.string(),
  StatusCode: v.optional(v.pipe(cfnTexts.value, v.transform(Number))),
  ResponseParameters: v.optional(cfnTexts, {}),
  ResponseTemplates: v.optional(cfnTexts, {}),
});

/** Properties of `AWS::ApiGateway::Stage` that local mode supports. */
export const stageSchema = v.object({
  RestApiId: v.string(),
  StageName: v.string(),
  DeploymentId: v.optional(v.string(), ''),
  Variables: v.optional(cfnTexts),
  MethodSettings: v.optional(
    v.array(
      v.object({
        HttpMethod: v.optional(v.string(), '*'),
        ResourcePath: v.optional(v.string(), '/*'),
        ThrottlingRateLimit: v.optional(cfnNumber),
        ThrottlingBurstLimit: v.optional(cfnNumber),
      }),
    ),
    [],
  ),
});

/** Properties of `AWS::ApiGateway::ApiKey` that local mode supports. */
export const apiKeySchema = v.object({
  Name: v.optional(v.string()),
  Value: v.optional(v.string()),
  Enabled: v.optional(cfnBoolean, false),
});

/** Properties of `AWS::ApiGateway::UsagePlan` that local mode supports. */
export const usagePlanSchema = v.object({
  UsagePlanName: v.optional(v.string()),
  Throttle: v.optional(throttleSchema),
  Quota: v.optional(
    v.object({ Limit: cfnNumber, Period: v.picklist(['DAY', 'WEEK', 'MONTH']), Offset: v.optional(cfnNumber, 0) }),
  ),
  ApiStages: v.optional(
    v.array(
      v.object({
        ApiId: v.string(),
        Stage: v.string(),
        Throttle: v.optional(v.record(v.string(), throttleSchema), {}),
      }),
    ),
    [],
  ),
});

/** Properties of `AWS::ApiGateway::UsagePlanKey` that local mode supports. */
export const usagePlanKeySchema = v.object({ KeyId: v.string(), UsagePlanId: v.string() });
