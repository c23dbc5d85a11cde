import type * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { authorizerSchema } from './api-properties.ts';
import { functionOfUri } from './function-uri.ts';
import { ofType, readProperties } from './properties.ts';
import type { Resource } from './resolve-stacks.ts';

/** A part of a request that identifies its caller. */
export interface IdentitySource {
  readonly location: 'header' | 'querystring' | 'context' | 'stageVariables';
  /** Name of the header, query parameter, `$context` variable or stage variable. */
  readonly name: string;
}

/** A Lambda authorizer of a REST API. */
export interface AuthorizerPlan {
  readonly id: string;
  readonly name: string;
  readonly type: 'TOKEN' | 'REQUEST';
  /** ARN of the function, its qualifier included. */
  readonly functionArn: string;
  readonly identitySources: readonly IdentitySource[];
  /** Expression that the token must match, for a TOKEN authorizer. */
  readonly validationExpression: string | undefined;
  /** Seconds for which a result is kept; 0 if each request invokes the function. */
  readonly ttlSeconds: number;
}

/** The source of a TOKEN authorizer that names none. */
const AUTHORIZATION_HEADER = 'method.request.header.Authorization';

/**
 * Describes the authorizers of an API, by id.
 *
 * @throws AppError `TEMPLATE_INVALID` when one is malformed, or when local mode cannot run it.
 */
export function planAuthorizers(api: Resource, resources: readonly Resource[]): ReadonlyMap<string, AuthorizerPlan> {
  const authorizers = ofType(resources, 'AWS::ApiGateway::Authorizer')
    .map((resource) => ({ resource, properties: readProperties(resource, authorizerSchema) }))
    .filter(({ properties }) => properties.RestApiId === api.ref);
  return new Map(authorizers.map(({ resource, properties }) => [resource.ref, planAuthorizer(resource, properties)]));
}

function planAuthorizer(
  { ref, logicalId }: Resource,
  properties: v.InferOutput<typeof authorizerSchema>,
): AuthorizerPlan {
  const { Name: name, Type: type, AuthorizerResultTtlInSeconds: ttlSeconds } = properties;
  const functionArn = functionOfUri(properties.AuthorizerUri);
  if (functionArn === undefined) throw invalid(logicalId, 'names no function to invoke');
  const source = type === 'TOKEN' ? properties.IdentitySource || AUTHORIZATION_HEADER : properties.IdentitySource;
  const identitySources = source === '' ? [] : source.split(',').map((one) => parseSource(one.trim(), logicalId));
  if (ttlSeconds > 0 && identitySources.length === 0) {
    throw invalid(logicalId, 'keeps results, so it must have an IdentitySource');
  }
  const validationExpression = type === 'TOKEN' ? properties.IdentityValidationExpression : undefined;
  return { id: ref, name, type, functionArn, identitySources, validationExpression, ttlSeconds };
}

function parseSource(source: string, logicalId: string): IdentitySource {
  const [, location, name = ''] =
    /^(?:method\.request\.(?=header|querystring))?(header|querystring|context|stageVariables)\.(.+)$/.exec(source) ??
    [];
  if (location === 'context' || location === 'stageVariables') return { location, name };
  if (source.startsWith('method.') && (location === 'header' || location === 'querystring')) return { location, name };
  throw invalid(logicalId, `has the identity source ${source}, which is none that API Gateway knows`);
}

function invalid(logicalId: string, what: string): AppError {
  return new AppError('TEMPLATE_INVALID', `authorizer ${logicalId} ${what}`);
}
