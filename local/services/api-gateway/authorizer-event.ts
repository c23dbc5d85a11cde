import type { APIGatewayRequestAuthorizerEvent, APIGatewayTokenAuthorizerEvent } from 'aws-lambda';
import { localArn } from '../../template/account.ts';
import type { ApiPlan, MethodPlan } from '../../template/plan-apis.ts';
import type { Exchange } from './exchange.ts';
import { proxyEvent } from './proxy-event.ts';

/** Returns the ARN of the method that a request invokes, with the path that it has and not the path of the resource. */
export function methodArn(api: ApiPlan, { httpMethod, path }: Exchange): string {
  return localArn('execute-api', `${api.id}/${api.stage}/${httpMethod}/${path.replace(/^\//, '')}`);
}

/**
 * Renders the event of a Lambda authorizer.
 *
 * @param token - The token of a TOKEN authorizer; undefined for a REQUEST authorizer, which gets the request without its body.
 * @see {@link https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html}
 */
export function authorizerEvent(
  api: ApiPlan,
  method: MethodPlan,
  exchange: Exchange,
  token: string | undefined,
): APIGatewayRequestAuthorizerEvent | APIGatewayTokenAuthorizerEvent {
  const arn = methodArn(api, exchange);
  if (token !== undefined) return { type: 'TOKEN', methodArn: arn, authorizationToken: token };
  const { body: _, isBase64Encoded: __, requestContext, ...event } = proxyEvent(api, method, exchange);
  const { authorizer: ___, ...context } = requestContext;
  return {
    ...event,
    type: 'REQUEST',
    methodArn: arn,
    queryStringParameters: event.queryStringParameters ?? {},
    multiValueQueryStringParameters: event.multiValueQueryStringParameters ?? {},
    pathParameters: event.pathParameters ?? {},
    stageVariables: event.stageVariables ?? {},
    requestContext: { ...context, authorizer: undefined },
  };
}
