/**
 * Reads the function that an integration or an authorizer of API Gateway invokes.
 *
 * @param uri - `arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<ARN>/invocations`.
 * @returns ARN of the function with its qualifier, if it has one; undefined if the URI names no function.
 */
export function functionOfUri(uri: string | undefined): string | undefined {
  return /\/functions\/(.+)\/invocations$/.exec(uri ?? '')?.[1];
}
