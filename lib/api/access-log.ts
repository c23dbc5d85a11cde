/**
 * Members of the access log line of each request, which is one JSON object.
 *
 * API Gateway writes the values of variables as they are, without escaping quotes. So no member holds text of a client: not
 * the user agent, not the path, whose route is logged instead. A client may choose the request id, within the characters that
 * API Gateway accepts in one. The key's id is included, but
 * never its value, and nothing of a body.
 */
export const ACCESS_LOG_FIELDS = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  apiKeyId: '$context.identity.apiKeyId',
  method: '$context.httpMethod',
  route: '$context.resourcePath',
  protocol: '$context.protocol',
  status: '$context.status',
  refusedAs: '$context.error.responseType',
  responseBytes: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  integrationLatencyMs: '$context.integrationLatency',
  integrationStatus: '$context.integrationStatus',
  authorizerStatus: '$context.authorizer.integrationStatus',
} as const;
