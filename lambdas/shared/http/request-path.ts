import type { APIGatewayProxyEvent } from 'aws-lambda';

/** Returns the path of a request without the stage: its resource with the parameters filled in. */
export function pathOf({
  resource,
  pathParameters,
}: Pick<APIGatewayProxyEvent, 'resource' | 'pathParameters'>): string {
  if (!resource.includes('{')) return resource;
  return resource.replace(/\{(\w+)\+?\}/g, (whole, name: string) => pathParameters?.[name] ?? whole);
}
