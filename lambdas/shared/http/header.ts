import type { APIGatewayProxyEvent } from 'aws-lambda';

/** Returns the value of a request header, ignoring the case of its name. */
export function headerOf({ headers }: Pick<APIGatewayProxyEvent, 'headers'>, name: string): string | undefined {
  for (const key in headers) {
    if (key.length === name.length && key.toLowerCase() === name) return headers[key];
  }
  return undefined;
}

/** Returns media type of a request body: lower case, without parameters. Undefined if the request does not state it. */
export function mediaTypeOf(event: Pick<APIGatewayProxyEvent, 'headers'>): string | undefined {
  return headerOf(event, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase();
}
