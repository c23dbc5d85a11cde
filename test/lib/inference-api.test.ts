import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { RemovalPolicy, Size } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Period } from 'aws-cdk-lib/aws-apigateway';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { modelRoutes, SHARED_ROUTES } from '../../core/api/routes.ts';
import { ERRORS, type ErrorCode, problemType } from '../../core/errors.ts';
import { InferenceApi, Jobs } from '../../lib/index.ts';
import { packedEmbedding, packedTensor } from './packed-models.ts';
import {
  methodsByRoute,
  otherStack,
  propertiesOf,
  renderTemplate,
  resourcesOf,
  synthesizeApi,
  templateOf,
} from './synthesized-api.ts';

const NO_TABLE = { cache: { store: 'memory' } };

describe('InferenceApi', () => {
  it('creates function, API, table, plans and keys from models alone', () => {
    const template = synthesizeApi({ models: [packedEmbedding()] });
    template.resourceCountIs('AWS::Lambda::Function', 3);
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    template.hasResourceProperties('AWS::ApiGateway::Stage', { StageName: 'prod', TracingEnabled: false });
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      EndpointConfiguration: { Types: ['REGIONAL'] },
      MinimumCompressionSize: 1024,
      BinaryMediaTypes: Match.not(Match.arrayWith(['*/*'])),
    });
    const plans = resourcesOf(template, 'AWS::ApiGateway::UsagePlan').map(({ Properties }) => Properties);
    expect(plans.map(({ UsagePlanName, Throttle, Quota }) => ({ UsagePlanName, Throttle, Quota }))).toEqual([
      { UsagePlanName: 'free', Throttle: { RateLimit: 5, BurstLimit: 10 }, Quota: { Limit: 10_000, Period: 'DAY' } },
      { UsagePlanName: 'pro', Throttle: { RateLimit: 50, BurstLimit: 100 }, Quota: { Limit: 5e6, Period: 'MONTH' } },
      { UsagePlanName: 'internal', Throttle: { RateLimit: 1000, BurstLimit: 2000 }, Quota: undefined },
    ]);
    template.resourceCountIs('AWS::ApiGateway::UsagePlanKey', 3);
  });

  it('accepts every setting', () => {
    const template = synthesizeApi({
      models: [packedEmbedding('one'), packedEmbedding('two')],
      stageName: 'beta',
      defaultEmbeddingModel: 'two',
      usagePlans: { only: { rateLimit: 1, burstLimit: 2, quota: { limit: 3, period: Period.WEEK }, keys: ['a', 'b'] } },
      throttle: { rateLimit: 7, burstLimit: 8 },
      logRetention: RetentionDays.THREE_DAYS,
      minCompressionSize: Size.bytes(0),
      tracing: true,
      removalPolicy: RemovalPolicy.DESTROY,
      maxIdleMonthlyUsd: 0,
      cloudWatchRole: false,
    });
    template.hasResourceProperties('AWS::ApiGateway::Stage', {
      StageName: 'beta',
      TracingEnabled: true,
      MethodSettings: Match.arrayWith([
        {
          HttpMethod: '*',
          ResourcePath: '/*',
          ThrottlingRateLimit: 7,
          ThrottlingBurstLimit: 8,
          DataTraceEnabled: false,
          LoggingLevel: 'OFF',
        },
      ]),
    });
    template.hasResourceProperties('AWS::ApiGateway::UsagePlan', { UsagePlanName: 'only', Quota: { Period: 'WEEK' } });
    expect(resourcesOf(template, 'AWS::ApiGateway::ApiKey').map(({ Properties }) => Properties.Name)).toEqual([
      'only-a',
      'only-b',
    ]);
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 3 });
    template.hasResourceProperties('AWS::ApiGateway::RestApi', { MinimumCompressionSize: 0 });
    template.hasResource('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Delete' });
    template.resourceCountIs('AWS::ApiGateway::Account', 0);
  });

  it('creates the keys of a tenant, and a stage variable that maps both to its id', () => {
    const template = synthesizeApi({
      models: [packedEmbedding('tiny')],
      tenants: { acme: { plan: 'pro', keys: ['k2025', 'k2026'] } },
    });
    const tenantKeys = resourcesOf(template, 'AWS::ApiGateway::ApiKey').filter(({ Properties }) =>
      Properties.Name.startsWith('pro-acme-'),
    );
    expect(tenantKeys.map(({ Properties }) => Properties.Name)).toEqual(['pro-acme-k2025', 'pro-acme-k2026']);
    const [first, second] = tenantKeys.map(({ logicalId }) => ({ Ref: logicalId }));
    expect(propertiesOf(template, 'AWS::ApiGateway::Stage').Variables).toMatchObject({
      tenant_acme: { 'Fn::Join': ['', ['acme:', first, ',', second, ':pro']] },
    });
  });

  it('keeps the key of a tenant when its other key or its plan changes', () => {
    const keyOf = (tenant: { plan: string; keys: string[] }) =>
      Object.entries(
        synthesizeApi({ models: [packedEmbedding('tiny')], tenants: { acme: tenant } }).findResources(
          'AWS::ApiGateway::ApiKey',
        ),
      ).find(([, { Properties }]) => Properties.Name.endsWith('-acme-k2026'))?.[0];
    const both = keyOf({ plan: 'pro', keys: ['k2025', 'k2026'] });
    expect(both).toBeDefined();
    expect(keyOf({ plan: 'pro', keys: ['k2026'] })).toBe(both);
    expect(keyOf({ plan: 'free', keys: ['k2026'] })).toBe(both);
  });

  it('sets stage variables for what plans grant, also without an authorizer', () => {
    const bucket = Bucket.fromBucketName(otherStack(), 'Lake', 'lake');
    const grants = { replyQueues: ['results'], eventBus: true, inputBuckets: [{ bucket, prefix: 'a/' }] };
    const usagePlans = { free: { rateLimit: 1, burstLimit: 1, ...grants } };
    const template = synthesizeApi({ models: [packedEmbedding('tiny')], auth: { accept: 'x-api-key' }, usagePlans });
    expect(propertiesOf(template, 'AWS::ApiGateway::Stage').Variables).toEqual({
      plan_0: 'free:queue=results&bus=1&input=lake/a/',
      plan_1: { 'Fn::Join': ['', ['free:keys=', { Ref: expect.any(String) }]] },
    });
  });

  it('refuses plans that grant what the jobs do not have', () => {
    const stack = otherStack();
    const models = [packedEmbedding('tiny')];
    const jobs = new Jobs(stack, 'Jobs', { models, replyQueues: ['results'] });
    const usagePlans = { free: { rateLimit: 1, burstLimit: 1, replyQueues: ['result'] } };
    expect(() => new InferenceApi(stack, 'Api', { models, jobs, usagePlans, settingsFile: 'config/dev.yaml' })).toThrow(
      'usagePlans.free.replyQueues: must name one of jobs.replyQueues (results), got result',
    );
  });

  it('creates no table when no model keeps results in one', () => {
    const template = synthesizeApi({ models: [packedEmbedding('tiny', NO_TABLE)] });
    expect(resourcesOf(template, 'AWS::DynamoDB::GlobalTable')).toEqual([]);
  });

  it('logs each request as one JSON object without the key', () => {
    const template = synthesizeApi({ models: [packedEmbedding()] });
    const [stage] = resourcesOf(template, 'AWS::ApiGateway::Stage');
    const format = stage?.Properties.AccessLogSetting.Format;
    expect(JSON.parse(format)).toMatchObject({ requestId: '$context.requestId', status: '$context.status' });
    expect(format).not.toContain('$context.identity.apiKey"');
  });

  it('pins the logical id of the table that it creates', () => {
    const template = synthesizeApi({ models: [packedEmbedding()] });
    expect(resourcesOf(template, 'AWS::DynamoDB::GlobalTable').map(({ logicalId }) => logicalId)).toEqual([
      'ApiResultsTable4095D4BD',
    ]);
  });

  it.each([
    ['no model', { models: [] }, 'at least one model'],
    ['a repeated id', { models: [packedEmbedding(), packedTensor('tiny')] }, 'got more than one tiny'],
    [
      'an alias that is the id of another model',
      { models: [packedEmbedding('one', { aliases: ['adder'] }), packedTensor()] },
      'aliases of the model one must name no other model, got adder, which is a name of adder',
    ],
    [
      'an alias of two models',
      { models: [packedEmbedding('one', { aliases: ['x'] }), packedEmbedding('two', { aliases: ['x'] })] },
      'got x, which is a name of one',
    ],
    ['an unknown default', { models: [packedEmbedding()], defaultEmbeddingModel: 'x' }, 'got x, known: tiny'],
    ['a tensor default', { models: [packedTensor()], defaultEmbeddingModel: 'adder' }, 'got adder, known: none'],
    ['a bad stage name', { models: [packedEmbedding()], stageName: 'Prod_1' }, 'got "Prod_1"'],
    [
      'several wrong settings',
      {
        models: [packedEmbedding()],
        throttle: { rateLimit: 0, burstLimit: 1 },
        usagePlans: { free: { rateLimit: 0, burstLimit: 0 } },
      },
      'Test/Api has 3 problems',
    ],
    [
      'a deployment that costs more than allowed while idle',
      { models: [packedEmbedding('tiny', { compute: { target: 'lambda', provisioned: {} } })], maxIdleMonthlyUsd: 1 },
      /costs \$\d+\.\d\d a month while idle .* maxIdleMonthlyUsd allows \$1\.00/,
    ],
  ])('fails with CONFIG_INVALID when it gets %s', (_, props, message) => {
    expect(() => new InferenceApi(otherStack(), 'Api', props)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message instanceof RegExp ? message : new RegExp(escapePattern(message))),
      }),
    );
  });

  it('warns of a cost while idle that exceeds its limit, when local mode synthesizes', () => {
    const stack = otherStack();
    stack.node.setContext('tensorgate:local', true);
    new InferenceApi(stack, 'Api', {
      models: [packedEmbedding('tiny', { compute: { target: 'lambda', provisioned: {} } })],
      maxIdleMonthlyUsd: 1,
    });
    Annotations.fromStack(stack).hasWarning(
      '*',
      Match.stringLikeRegexp('^Test/Api: maxIdleMonthlyUsd allows \\$1\\.00'),
    );
  });

  it('has few paths for each model if there are many models, and fails with CONFIG_INVALID if they are too many', () => {
    const models = Array.from({ length: 100 }, (_, index) => packedEmbedding(`m${index}`));
    const build = (count: number) => new InferenceApi(otherStack(), 'Api', { models: models.slice(0, count) });
    expect(() => build(60)).not.toThrow();
    const message = /^100 names of models need \d+ paths, an API has 300: \d\d ids and aliases fit, /;
    expect(() => build(100)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('offers metrics of the API and address of the stage', () => {
    const stack = otherStack();
    const api = new InferenceApi(stack, 'Api', { models: [packedEmbedding()] });
    expect(stack.resolve(api.url)).toHaveProperty('Fn::Join');
    const metrics = [api.metricCount(), api.metricClientError(), api.metricServerError(), api.metricLatency()];
    expect(metrics.map(({ metricName }) => metricName)).toEqual(['Count', '4XXError', '5XXError', 'Latency']);
  });
});

describe('the order of creation', () => {
  const stack = otherStack();
  const models = [packedEmbedding('one'), packedTensor()];
  new InferenceApi(stack, 'Api', { models, jobs: new Jobs(stack, 'Jobs', { models }) });
  const template = Template.fromStack(stack);
  const dependenciesOf = (type: string): readonly string[] =>
    Object.values(template.findResources(type)).flatMap(({ DependsOn = [] }) => DependsOn);

  /** Nested stacks of models. CloudFormation has created everything in them when they are complete. */
  const modelStacks = resourcesOf(template, 'AWS::CloudFormation::Stack').map(({ logicalId }) => logicalId);

  it('lets API Gateway invoke every function before new routes are deployed', () => {
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission').filter(
      ({ Properties }) => Properties.Principal === 'apigateway.amazonaws.com',
    );
    expect(permissions).toHaveLength(3);
    expect(modelStacks.filter((id) => id.startsWith('Model'))).toHaveLength(2 * models.length);
    const stacksOfApi = dependenciesOf('AWS::ApiGateway::Deployment').filter((id) => modelStacks.includes(id));
    expect(stacksOfApi).toHaveLength(models.length);
    expect(dependenciesOf('AWS::ApiGateway::Deployment')).toEqual(
      expect.arrayContaining(permissions.map(({ logicalId }) => logicalId)),
    );
  });

  it('sets the role of the logs of API Gateway once IAM has had time to make it known', () => {
    const stacksOfApi = dependenciesOf('AWS::ApiGateway::Account').filter((id) => modelStacks.includes(id));
    expect(stacksOfApi).toHaveLength(models.length);
    expect(dependenciesOf('AWS::ApiGateway::Stage')).toEqual(
      expect.arrayContaining(resourcesOf(template, 'AWS::ApiGateway::Account').map(({ logicalId }) => logicalId)),
    );
  });
});

describe('routes', () => {
  const models = [packedEmbedding('one'), packedEmbedding('two', { aliases: ['ada-002'] }), packedTensor()];
  const template = synthesizeApi({ models });
  const methods = methodsByRoute(template);
  const routes = [...SHARED_ROUTES, ...[...models.map(({ id }) => id), 'ada-002'].flatMap(modelRoutes)];

  it('list an alias as a model of its own that names the model behind it', () => {
    const [answer] = methods.get('GET /v1/models')?.Properties.Integration.IntegrationResponses ?? [];
    const { data } = renderTemplate(answer.ResponseTemplates['application/json']) as {
      data: Record<string, unknown>[];
    };
    expect(data.map(({ id, root }) => [id, root])).toEqual([
      ['one', undefined],
      ['two', undefined],
      ['ada-002', 'two'],
      ['adder', undefined],
    ]);
    expect(data[2]).toMatchObject({ max_model_len: 512, max_client_batch_size: 2048, dimensions: 384 });
  });

  it('pass the ids and aliases of the other models to the first model', () => {
    const stack = otherStack();
    const [first] = new InferenceApi(stack, 'Api', { models }).functions;
    const variables = resourcesOf(templateOf(stack), 'AWS::Lambda::Function').map(
      ({ Properties }) => Properties.Environment?.Variables ?? {},
    );
    expect(variables.filter((one) => 'TENSORGATE_FUNCTIONS_PATH' in one)).toHaveLength(1);
    expect(first?.model.id).toBe('one');
    const packages = join(first?.model.workDirectory ?? '', 'packages/one');
    const settings = readdirSync(packages)
      .map((folder) => join(packages, folder, 'settings.json'))
      .filter((file) => existsSync(file))
      .map((file) => JSON.parse(readFileSync(file, 'utf8')));
    expect(settings).toContainEqual({ siblings: ['two'], modelAliases: { 'ada-002': 'two' } });
  });

  it.each(routes)('include $method $path', ({ method, path, answeredBy, access }) => {
    const found = methods.get(`${method} ${path}`)?.Properties;
    expect(found).toMatchObject({
      ApiKeyRequired: access === 'caller',
      Integration: { Type: answeredBy === 'function' ? 'AWS_PROXY' : 'MOCK' },
    });
  });

  it.each(routes)(
    'respond to other methods of $path with METHOD_NOT_ALLOWED and the allowed methods',
    ({ method, path }) => {
      const [answer] = methods.get(`ANY ${path}`)?.Properties.Integration.IntegrationResponses ?? [];
      expect(answer.StatusCode).toBe('405');
      const methodsOfPath = routes.filter((route) => route.path === path).map((route) => route.method);
      expect(methodsOfPath).toContain(method);
      expect(answer.ResponseParameters['method.response.header.Allow']).toBe(`'${methodsOfPath.join(', ')}'`);
      expect(renderTemplate(answer.ResponseTemplates['application/json'])).toMatchObject({
        code: 'METHOD_NOT_ALLOWED',
      });
    },
  );

  it.each(['/v1/models/{model}', '/v2/models/{model}', '/v2/models/{model}/{proxy+}'])(
    'respond to %s with MODEL_NOT_FOUND and the models that exist',
    (path) => {
      const [answer] = methods.get(`ANY ${path}`)?.Properties.Integration.IntegrationResponses ?? [];
      const problem = renderTemplate(answer.ResponseTemplates['application/json']);
      expect(problem).toMatchObject({ status: 404, code: 'MODEL_NOT_FOUND' });
      expect(problem['detail']).toContain('one, two, ada-002, adder');
    },
  );

  it('convert bodies to text for every integration except proxies, because templates cannot read bytes', () => {
    const others = [...methods.values()]
      .map(({ Properties }) => Properties.Integration)
      .filter(({ Type }) => Type !== 'AWS_PROXY');
    expect(others.length).toBeGreaterThan(20);
    const conversions = others.flatMap(({ ContentHandling, IntegrationResponses }) => [
      ContentHandling,
      ...IntegrationResponses.map((response: { ContentHandling?: string }) => response.ContentHandling),
    ]);
    expect(new Set(conversions)).toEqual(new Set(['CONVERT_TO_TEXT']));
  });

  it('accept every binary media type of the API even if they return an error', () => {
    const [{ BinaryMediaTypes = [] } = {}] = resourcesOf(template, 'AWS::ApiGateway::RestApi').map(
      ({ Properties }) => Properties,
    );
    const templates = methods.get('ANY /v2/models/{model}/{proxy+}')?.Properties.Integration.RequestTemplates;
    expect(Object.keys(templates)).toEqual(expect.arrayContaining([...BinaryMediaTypes]));
  });

  it('have no methods besides those of the API and their refusals', () => {
    const paths = new Set(routes.map(({ path }) => path));
    expect(methods.size).toBe(routes.length + paths.size + 6);
  });

  it('require a key, except for health and unknown paths', () => {
    const open = [...methods].filter(([, { Properties }]) => !Properties.ApiKeyRequired).map(([route]) => route);
    expect(open.sort()).toEqual([
      'ANY ',
      'ANY /v2/health/live',
      'ANY /v2/health/ready',
      'ANY /v2/{proxy+}',
      'ANY /{proxy+}',
      'GET /v2/health/live',
      'GET /v2/health/ready',
      'HEAD /v2/health/live',
      'HEAD /v2/health/ready',
    ]);
  });

  it.each(['', '/{proxy+}', '/v2/{proxy+}'])(
    'respond to every method of the unknown path %s with ROUTE_NOT_FOUND',
    (path) => {
      const [answer] = methods.get(`ANY ${path}`)?.Properties.Integration.IntegrationResponses ?? [];
      expect(renderTemplate(answer.ResponseTemplates['application/json'])).toMatchObject({
        status: 404,
        code: 'ROUTE_NOT_FOUND',
      });
    },
  );

  it('require only that every body is a JSON object', () => {
    const validated = [...methods].filter(([, { Properties }]) => Properties.RequestModels !== undefined);
    expect(validated.map(([route]) => route).sort()).toEqual(
      routes
        .filter(({ method }) => method === 'POST')
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    );
    for (const { Properties } of resourcesOf(template, 'AWS::ApiGateway::Model')) {
      expect(Properties.Schema).toMatchObject({ type: 'object' });
      expect(Properties.Schema.required).toBeUndefined();
    }
    template.hasResourceProperties('AWS::ApiGateway::RequestValidator', { ValidateRequestBody: true });
  });

  it.each(routes.filter(({ answeredBy }) => answeredBy === 'document').map(({ path }) => path))(
    'respond to GET %s with JSON',
    (path) => {
      const [answer] = methods.get(`GET ${path}`)?.Properties.Integration.IntegrationResponses ?? [];
      expect(answer.StatusCode).toBe('200');
      expect(renderTemplate(answer.ResponseTemplates['application/json'])).toEqual(expect.any(Object));
    },
  );

  it('write the error member in the form of their protocol', () => {
    const errorOf = (path: string) =>
      renderTemplate(
        methods.get(`ANY ${path}`)?.Properties.Integration.IntegrationResponses[0].ResponseTemplates[
          'application/json'
        ],
      )['error'];
    expect(errorOf('/v1/embeddings')).toMatchObject({ message: expect.any(String), code: 'METHOD_NOT_ALLOWED' });
    expect(errorOf('/v2/models/one/infer')).toBe('the route accepts POST only');
  });

  it('respond to embedding requests with MODEL_NOT_FOUND if no embedding model exists', () => {
    const post = methodsByRoute(synthesizeApi({ models: [packedTensor()] })).get('POST /v1/embeddings')?.Properties;
    expect(post.Integration).toMatchObject({ Type: 'MOCK', IntegrationResponses: [{ StatusCode: '404' }] });
  });

  it('escape the template language in the descriptions of models', () => {
    const risky = packedEmbedding('tiny', { description: 'costs $5 #1 $input.body' });
    const text = JSON.stringify(synthesizeApi({ models: [risky] }).toJSON());
    expect(text).not.toContain('$input');
  });
});

describe('gateway responses', () => {
  const responses = resourcesOf(synthesizeApi({ models: [packedEmbedding()] }), 'AWS::ApiGateway::GatewayResponse').map(
    ({ Properties }) => Properties,
  );

  it.each(responses)(
    '$ResponseType is a problem document with a string as its error, and has the request’s id',
    (response) => {
      const problem = renderTemplate(response.ResponseTemplates['application/json']);
      const code = problem['code'] as ErrorCode;
      expect(Object.keys(ERRORS)).toContain(code);
      expect(problem).toEqual({
        type: problemType(code),
        title: ERRORS[code].title,
        status: ERRORS[code].status,
        detail: expect.any(String),
        code,
        requestId: expect.any(String),
        error: problem['detail'],
      });
      expect(response.StatusCode).toBe(String(ERRORS[code].status));
      expect(response.ResponseParameters).toMatchObject({
        'gatewayresponse.header.Content-Type': "'application/json'",
        'gatewayresponse.header.x-request-id': 'context.requestId',
      });
    },
  );

  it.each([
    ['INVALID_API_KEY', 'UNAUTHORIZED'],
    ['UNAUTHORIZED', 'UNAUTHORIZED'],
    ['ACCESS_DENIED', 'FORBIDDEN'],
    ['MISSING_AUTHENTICATION_TOKEN', 'ROUTE_NOT_FOUND'],
    ['INVALID_SIGNATURE', 'ROUTE_NOT_FOUND'],
    ['THROTTLED', 'RATE_LIMITED'],
    ['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'],
    ['BAD_REQUEST_BODY', 'INVALID_BODY'],
    ['BAD_REQUEST_PARAMETERS', 'INVALID_PARAMETER'],
    ['REQUEST_TOO_LARGE', 'BODY_TOO_LARGE'],
    ['UNSUPPORTED_MEDIA_TYPE', 'UNSUPPORTED_MEDIA_TYPE'],
    ['INTEGRATION_TIMEOUT', 'TIMEOUT'],
    ['INTEGRATION_FAILURE', 'UNAVAILABLE'],
    ['API_CONFIGURATION_ERROR', 'UNAVAILABLE'],
    ['AUTHORIZER_FAILURE', 'UNAVAILABLE'],
    ['AUTHORIZER_CONFIGURATION_ERROR', 'UNAVAILABLE'],
    ['DEFAULT_5XX', 'BAD_GATEWAY'],
  ])('the response to %s has the status %s', (type, code) => {
    const response = responses.find(({ ResponseType }) => ResponseType === type);
    expect(renderTemplate(response.ResponseTemplates['application/json'])).toMatchObject({ code });
  });

  it.each([
    ['THROTTLED', 'retry-after', "'1'"],
    ['INTEGRATION_FAILURE', 'retry-after', "'1'"],
    ['API_CONFIGURATION_ERROR', 'retry-after', "'1'"],
    ['AUTHORIZER_FAILURE', 'retry-after', "'1'"],
    ['AUTHORIZER_CONFIGURATION_ERROR', 'retry-after', "'1'"],
    ['QUOTA_EXCEEDED', 'retry-after', "'3600'"],
    ['QUOTA_EXCEEDED', 'x-should-retry', "'false'"],
  ])('the response to %s says whether clients should retry', (type, header, value) => {
    const response = responses.find(({ ResponseType }) => ResponseType === type);
    expect(response.ResponseParameters[`gatewayresponse.header.${header}`]).toBe(value);
  });

  it('explains a throttled function and a function that cannot be invoked differently', () => {
    const detailOf = (type: string) => {
      const response = responses.find(({ ResponseType }) => ResponseType === type);
      return renderTemplate(response.ResponseTemplates['application/json'])['detail'];
    };
    const throttled = 'as many requests are in progress as AWS Lambda allows; retry after 1 s';
    expect(detailOf('INTEGRATION_FAILURE')).toBe(throttled);
    expect(detailOf('AUTHORIZER_FAILURE')).toBe(throttled);
    const notInvoked = /^API Gateway could not invoke the function .* throttled, .*retry after 1 s$/;
    expect(detailOf('API_CONFIGURATION_ERROR')).toMatch(notInvoked);
    expect(detailOf('AUTHORIZER_CONFIGURATION_ERROR')).toMatch(notInvoked);
  });
});

/** A pattern that matches a text literally. */
function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
