import type { APIGatewayProxyEvent } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';
import { type Caller, identifyCaller } from '../../../core/identity/caller.ts';
import { type Plan, readPlan } from '../../../core/identity/plan-variables.ts';
import { headerOf } from './header.ts';
import { pathOf } from './request-path.ts';

/** W3C trace context, version 00 and later versions. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Hosts without a certificate: those of local mode. */
const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

type CallerEvent = Pick<APIGatewayProxyEvent, 'headers' | 'requestContext' | 'resource' | 'pathParameters'>;

/** The parts of an event that identify its caller. */
type IdentityEvent = Pick<APIGatewayProxyEvent, 'requestContext' | 'stageVariables'>;

/**
 * Returns the caller of a request.
 *
 * @throws AppError `UNAUTHORIZED` if the request carries no credential; API Gateway rejects such requests earlier.
 */
export function callerOf(event: IdentityEvent): Caller {
  const caller = findCaller(event);
  if (caller === undefined) throw new AppError('UNAUTHORIZED', 'the request has no API key and no token');
  return caller;
}

/** Returns the caller of a request; undefined if it carries no credential. */
export function findCaller({ requestContext, stageVariables }: IdentityEvent): Caller | undefined {
  return identifyCaller({
    authorizer: requestContext?.authorizer,
    apiKeyId: requestContext?.identity?.apiKeyId,
    stageVariables,
  });
}

/** Returns the resources of the account that the jobs of a caller may use, according to its plan. */
export function planOf(event: IdentityEvent): Plan {
  return readPlan(callerOf(event).plan, event.stageVariables ?? {});
}

/**
 * Returns the address of the API as the caller used it, without a slash at the end: its own domain or the gateway's, and stage.
 */
export function baseUrlOf(event: CallerEvent): string {
  const { requestContext } = event;
  // Not the `Host` header, which a proxy in front of the API may pass on from the client.
  const host = requestContext.domainName ?? headerOf(event, 'host') ?? '';
  const [path, below] = [requestContext.path ?? '', pathOf(event)];
  // A path may be encoded although its parameters are not. The stage is then the text before it.
  const prefix = path.endsWith(below) ? path.slice(0, -below.length) : `/${requestContext.stage}`;
  return `${LOOPBACK.test(host) ? 'http' : 'https'}://${host}${prefix}`;
}

/** Returns the trace context that a request carries, if it is valid. */
export function traceparentOf(event: CallerEvent): string | undefined {
  const value = headerOf(event, 'traceparent');
  return value !== undefined && TRACEPARENT.test(value) ? value : undefined;
}
