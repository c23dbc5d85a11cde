import type { APIGatewayProxyEvent } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';
import { headerOf } from './json-body.ts';

/** W3C trace context, version 00 and those to come. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Hosts that have no certificate: local mode answers there. */
const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

type CallerEvent = Pick<APIGatewayProxyEvent, 'headers' | 'requestContext' | 'resource' | 'pathParameters'>;

/**
 * The owner of what a request makes and sees: the id of its API key.
 *
 * @throws AppError `FORBIDDEN` when it came without one, which the gateway does not let through.
 */
export function ownerOf({ requestContext }: CallerEvent): string {
  const owner = requestContext.identity.apiKeyId;
  if (typeof owner === 'string' && owner !== '') return owner;
  throw new AppError('FORBIDDEN', 'an API key is needed');
}

/** The path of a request below the API's base: its route with the parameters filled in. */
export function pathOf({ resource, pathParameters }: Pick<CallerEvent, 'resource' | 'pathParameters'>): string {
  return resource.replace(/\{(\w+)\+?\}/g, (whole, name: string) => pathParameters?.[name] ?? whole);
}

/** The address of the API as the caller used it, without a slash at the end: its own domain or the gateway's, and stage. */
export function baseUrlOf(event: CallerEvent): string {
  const { requestContext } = event;
  const host = headerOf(event, 'host') ?? requestContext.domainName ?? '';
  const [path, below] = [requestContext.path ?? '', pathOf(event)];
  // A path may come encoded where its parameters are not; then the stage is what stands before it.
  const prefix = path.endsWith(below) ? path.slice(0, -below.length) : `/${requestContext.stage}`;
  return `${LOOPBACK.test(host) ? 'http' : 'https'}://${host}${prefix}`;
}

/** The trace context that a request carries, if it is one. */
export function traceparentOf(event: CallerEvent): string | undefined {
  const value = headerOf(event, 'traceparent');
  return value !== undefined && TRACEPARENT.test(value) ? value : undefined;
}
