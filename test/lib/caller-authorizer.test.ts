import { describe, expect, it } from '@jest/globals';
import { InferenceApi } from '../../lib/index.ts';
import { packedEmbedding } from './packed-models.ts';
import {
  methodsByRoute,
  otherStack,
  propertiesOf,
  renderTemplate,
  resourcesOf,
  synthesizeApi,
} from './synthesized-api.ts';

const models = [packedEmbedding('tiny')];
const both = synthesizeApi({ models });
const bearer = synthesizeApi({ models, auth: { accept: 'bearer' } });
const header = synthesizeApi({ models, auth: { accept: ['x-api-key'] } });

const keyIds = (template: typeof both) =>
  resourcesOf(template, 'AWS::ApiGateway::ApiKey').map(({ logicalId }) => ({ Ref: logicalId }));

describe('an API that accepts both headers', () => {
  it('takes keys from an authorizer that runs for each request', () => {
    expect(propertiesOf(both, 'AWS::ApiGateway::RestApi').ApiKeySourceType).toBe('AUTHORIZER');
    const authorizer = propertiesOf(both, 'AWS::ApiGateway::Authorizer');
    expect(authorizer).toMatchObject({ Type: 'REQUEST', AuthorizerResultTtlInSeconds: 0 });
    // API Gateway answers a request that lacks an identity source with 401, and each request lacks one of two headers.
    expect(authorizer.IdentitySource ?? '').toBe('');
  });

  it('admits callers by it on every method that needs a key, and on no other', () => {
    const [{ logicalId } = { logicalId: '' }] = resourcesOf(both, 'AWS::ApiGateway::Authorizer');
    for (const [route, { Properties }] of methodsByRoute(both)) {
      const expected = Properties.ApiKeyRequired
        ? { AuthorizationType: 'CUSTOM', AuthorizerId: { Ref: logicalId } }
        : { AuthorizationType: 'NONE' };
      expect([route, Properties]).toEqual([route, expect.objectContaining(expected)]);
    }
  });

  it('gives the authorizer no permission but to write its log', () => {
    const policies = resourcesOf(both, 'AWS::IAM::Policy').filter(({ logicalId }) => logicalId.includes('authorize'));
    const actions = policies.flatMap(({ Properties }) =>
      Properties.PolicyDocument.Statement.flatMap(({ Action }: { Action: string | string[] }) => Action),
    );
    expect(actions.sort()).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
  });

  it('hashes its keys at deployment by a role that reads these keys only', () => {
    const hashes = propertiesOf(both, 'Custom::TensorgateKeyHashes');
    expect(hashes.KeyIds).toEqual(keyIds(both));
    const [policy] = resourcesOf(both, 'AWS::IAM::Policy').filter(({ logicalId }) => logicalId.includes('hashkeys'));
    const statements: { Action: string; Resource: object | object[] }[] = policy?.Properties.PolicyDocument.Statement;
    const read = statements.filter(({ Action }) => Action === 'apigateway:GET').flatMap(({ Resource }) => Resource);
    expect(read).toHaveLength(keyIds(both).length);
    for (const [index, id] of keyIds(both).entries()) expect(JSON.stringify(read[index])).toContain(JSON.stringify(id));
    const [{ logicalId } = { logicalId: '' }] = resourcesOf(both, 'Custom::TensorgateKeyHashes');
    expect(propertiesOf(both, 'AWS::ApiGateway::Stage').Variables).toEqual({
      keys_0: { 'Fn::GetAtt': [logicalId, 'Hashes'] },
      plan_0: { 'Fn::Join': ['', ['free:keys=', { Ref: keyIds(both)[0]?.Ref }]] },
      plan_1: { 'Fn::Join': ['', ['pro:keys=', { Ref: keyIds(both)[1]?.Ref }]] },
      plan_2: { 'Fn::Join': ['', ['internal:keys=', { Ref: keyIds(both)[2]?.Ref }]] },
    });
  });

  it('writes no lines about the invocations of the authorizer', () => {
    const [fn] = resourcesOf(both, 'AWS::Lambda::Function').filter(({ logicalId }) => logicalId.includes('authorize'));
    expect(fn?.Properties.LoggingConfig).toMatchObject({ LogFormat: 'JSON', SystemLogLevel: 'WARN' });
  });

  it('names both headers in the response to a request without a valid key', () => {
    const responses = resourcesOf(both, 'AWS::ApiGateway::GatewayResponse').map(({ Properties }) => Properties);
    for (const type of ['UNAUTHORIZED', 'INVALID_API_KEY']) {
      const response = responses.find(({ ResponseType }) => ResponseType === type);
      expect(response.StatusCode).toBe('401');
      expect(response.ResponseParameters['gatewayresponse.header.WWW-Authenticate']).toBe(
        `'Bearer realm="tensorgate"'`,
      );
      const { detail } = renderTemplate(response.ResponseTemplates['application/json']);
      expect(detail).toMatch(/Authorization: Bearer <key> or x-api-key: <key>$/);
    }
  });
});

describe('an API that accepts bearer tokens alone', () => {
  it('lets API Gateway keep results for the header that every request has', () => {
    expect(propertiesOf(bearer, 'AWS::ApiGateway::Authorizer')).toMatchObject({
      AuthorizerResultTtlInSeconds: 300,
      IdentitySource: 'method.request.header.Authorization',
    });
  });

  it('makes the authorizer ignore the other header', () => {
    const [fn] = resourcesOf(bearer, 'AWS::Lambda::Function').filter(({ logicalId }) =>
      logicalId.includes('authorize'),
    );
    expect(fn?.Properties.Environment.Variables).toMatchObject({ TENSORGATE_ACCEPTED_HEADERS: '["bearer"]' });
  });

  it('is deployed again when it accepts another header', () => {
    const deploymentOf = (template: typeof both) => resourcesOf(template, 'AWS::ApiGateway::Deployment')[0]?.logicalId;
    expect(new Set([both, bearer, header].map(deploymentOf)).size).toBe(3);
  });
});

describe('an API that accepts x-api-key alone', () => {
  it('has no authorizer, no hashes and no functions for them', () => {
    expect(propertiesOf(header, 'AWS::ApiGateway::RestApi')).not.toHaveProperty('ApiKeySourceType');
    for (const type of ['AWS::ApiGateway::Authorizer', 'Custom::TensorgateKeyHashes']) {
      expect(resourcesOf(header, type)).toEqual([]);
    }
    expect(resourcesOf(header, 'AWS::Lambda::Function')).toHaveLength(1);
    for (const { Properties } of methodsByRoute(header).values()) expect(Properties.AuthorizationType).toBe('NONE');
  });
});

describe('API keys', () => {
  it('keep their logical ids whichever header they come in', () => {
    expect(keyIds(both)).toEqual(keyIds(header));
    expect(keyIds(bearer)).toEqual(keyIds(header));
  });

  it('are hashed in several consecutive steps if there are many', () => {
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const template = synthesizeApi({ models, usagePlans: { many: { rateLimit: 1, burstLimit: 1, keys } } });
    const hashes = Object.values(template.findResources('Custom::TensorgateKeyHashes'));
    expect(hashes.map(({ Properties }) => Properties.KeyIds.length)).toEqual([8, 8, 4]);
    expect(hashes.map(({ DependsOn }) => DependsOn.filter((id: string) => id.includes('Hashes')).length > 1)).toEqual([
      false,
      true,
      true,
    ]);
    const variables = propertiesOf(template, 'AWS::ApiGateway::Stage').Variables;
    expect(Object.keys(variables)).toEqual(['plan_0', 'keys_0', 'keys_1', 'keys_2']);
  });

  it('are refused, with what to write instead, if they belong to more tenants than a stage has variables for', () => {
    const tenants = Object.fromEntries(Array.from({ length: 95 }, (_, index) => [`t${index}`, { plan: 'pro' }]));
    expect(() => new InferenceApi(otherStack(), 'Api', { models, tenants })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('auth: { accept: x-api-key }'),
      }),
    );
    expect(
      () => new InferenceApi(otherStack(), 'Api', { models, tenants, auth: { accept: 'x-api-key' } }),
    ).not.toThrow();
  });

  it.each([[[]], ['basic'], [['bearer', 'basic']]])('are refused if the accepted headers are %j', (accept) => {
    const props = { models, auth: { accept: accept as never } };
    expect(() => new InferenceApi(otherStack(), 'Api', props)).toThrow(/auth\.accept/);
  });
});
